//! [`Numbers`]: a tensor's numbers as a plain slice; [`Halves`]: those of a bfloat16 tensor as they lie; [`filled`]: a
//! tensor made of a plain slice that is written in place.

use std::ops::Deref;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result, TensorResult};

/// The numbers of a tensor, row-major, in f32; copied only if the tensor is of another kind, elsewhere, or not
/// contiguous.
pub(crate) struct Numbers(Tensor);

impl Numbers {
    pub fn of(tensor: &Tensor) -> Result<Numbers> {
        if plain(tensor, Kind::Float) {
            return Ok(Numbers(tensor.shallow_clone()));
        }
        let plain = tensor.f_to_device(Device::Cpu).and_then(|t| t.f_to_kind(Kind::Float)?.f_contiguous());
        plain.map(Numbers).op("to float32")
    }
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the tensor is a contiguous float32 CPU tensor.
        unsafe { slice(&self.0) }
    }
}

/// The numbers of a tensor where they lie. Nothing writes to a tensor whose numbers are being read: they are weights, which
/// change between passes only, and outputs of the model, each written once by the operation that made it.
///
/// # Safety
/// The tensor is contiguous, on the CPU, and its numbers are of type `T`.
unsafe fn slice<T>(tensor: &Tensor) -> &[T] {
    match tensor.numel() {
        0 => &[],
        // SAFETY: as the caller has it; the borrow keeps the tensor alive.
        n => unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<T>().cast_const(), n) },
    }
}

/// The numbers of a bfloat16 tensor: each is the upper half of a float32.
pub(crate) struct Halves(Tensor);

impl Halves {
    /// Nothing for another kind, a tensor elsewhere, or one that is not contiguous.
    pub fn of(tensor: &Tensor) -> Option<Halves> {
        plain(tensor, Kind::BFloat16).then(|| Halves(tensor.shallow_clone()))
    }
}

impl Deref for Halves {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        // SAFETY: the tensor is a contiguous CPU tensor of bfloat16, which has 16 bits.
        unsafe { slice(&self.0) }
    }
}

/// Whether the numbers of a tensor lie one behind the other in the CPU's memory, and are of the given kind.
pub(crate) fn plain(tensor: &Tensor, kind: Kind) -> bool {
    tensor.kind() == kind && tensor.device() == Device::Cpu && tensor.is_contiguous()
}

/// A new float32 CPU tensor of `shape` whose numbers, zero at first, `write` has set.
pub(crate) fn filled(shape: &[i64], write: impl FnOnce(&mut [f32]) -> Result<()>) -> Result<Tensor> {
    let mut tensor = Tensor::f_zeros(shape, (Kind::Float, Device::Cpu)).op("buffer")?;
    // SAFETY: the tensor was just made, and nothing else refers to it.
    unsafe { changed(&mut tensor, write) }??;
    Ok(tensor)
}

/// Gives `change` the numbers of a contiguous float32 CPU tensor to overwrite.
///
/// # Safety
/// Nobody reads or writes the tensor's memory meanwhile, through this tensor or another that shares it.
pub(crate) unsafe fn changed<T>(tensor: &mut Tensor, change: impl FnOnce(&mut [f32]) -> T) -> Result<T> {
    if !plain(tensor, Kind::Float) {
        return Err(Error::Failed("numbers to change do not lie plainly in memory: a bug".into()));
    }
    match tensor.numel() {
        0 => Ok(change(&mut [])),
        // SAFETY: the tensor is contiguous, float32, on the CPU, and has `n` numbers; nobody else uses them, as the caller has it.
        n => Ok(change(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast::<f32>(), n) })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_tensor_holds_what_was_written() {
        let t = filled(&[2, 2], |numbers| {
            assert_eq!(numbers, [0.0; 4]);
            numbers.copy_from_slice(&[1.0, 2.0, 3.0, 4.0]);
            Ok(())
        });
        assert_eq!(t.unwrap(), Tensor::from_slice2(&[[1f32, 2.0], [3.0, 4.0]]));
        assert_eq!(filled(&[0, 3], |_| Ok(())).unwrap().size(), [0, 3]);
    }

    #[test]
    fn any_layout_and_kind_is_read_row_by_row() {
        let t = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);
        assert_eq!(*Numbers::of(&t).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(*Numbers::of(&t.transpose(0, 1)).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(*Numbers::of(&t.narrow(0, 1, 1).to_kind(Kind::BFloat16)).unwrap(), [3.0, 4.0, 5.0]);
        assert!(Numbers::of(&t.narrow(0, 1, 0)).unwrap().is_empty());
        let half = t.to_kind(Kind::BFloat16);
        let wide: Vec<f32> = Halves::of(&half).unwrap().iter().map(|&x| f32::from_bits(u32::from(x) << 16)).collect();
        assert_eq!(wide, *Numbers::of(&half).unwrap());
        assert!(Halves::of(&t).is_none() && Halves::of(&half.transpose(0, 1)).is_none());
    }
}

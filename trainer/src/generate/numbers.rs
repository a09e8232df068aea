//! [`Numbers`]: a tensor's numbers as a plain slice.

use std::ops::Deref;

use tch::{Device, Kind, Tensor};

use crate::error::{Result, TensorResult};

/// The numbers of a tensor, row-major, in f32; copied only if the tensor is of another kind, elsewhere, or not contiguous.
pub(super) struct Numbers(Tensor);

impl Numbers {
    pub fn of(tensor: &Tensor) -> Result<Numbers> {
        let plain = tensor.f_to_device(Device::Cpu).and_then(|t| t.f_to_kind(Kind::Float)?.f_contiguous());
        plain.map(Numbers).op("to float32")
    }
}

impl Deref for Numbers {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        let n = self.0.numel();
        if n == 0 {
            return &[];
        }
        // SAFETY: the tensor is a contiguous float32 CPU tensor of `n` numbers, which `self` keeps alive. In this module nothing writes to a tensor
        // whose numbers are being read: they are outputs of the model, each written once by the operation that made it.
        unsafe { std::slice::from_raw_parts(self.0.data_ptr().cast::<f32>().cast_const(), n) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_layout_and_kind_is_read_row_by_row() {
        let t = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]);
        assert_eq!(*Numbers::of(&t).unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(*Numbers::of(&t.transpose(0, 1)).unwrap(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert_eq!(*Numbers::of(&t.narrow(0, 1, 1).to_kind(Kind::BFloat16)).unwrap(), [3.0, 4.0, 5.0]);
        assert!(Numbers::of(&t.narrow(0, 1, 0)).unwrap().is_empty());
    }
}

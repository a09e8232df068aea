//! `x Wᵀ + b` in bfloat16 for a few rows of x without a graph, as decoding has them: one token of each sequence.
//!
//! Matrix libraries copy W into blocks before they multiply, which pays when many rows use it; with few rows the copy is most
//! of the time. Here W `[out, in]` is streamed once as it lies: each number of it is read once from memory and used for all
//! rows. Every output is one sum in one fixed order (a register of lanes over `in`, fused multiply-add, then a tree) in float32,
//! rounded once, whatever the number of rows and threads: so a sequence's numbers do not depend on the company in which it is
//! decoded. For CPUs with AVX-512, or AVX2 and FMA; elsewhere the caller uses libtorch.

mod kernels;

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::error::{Result, TensorResult};
use crate::lanes::Instructions;
use crate::numbers::{Halves, Numbers};
use crate::parallel;

/// Up to this many rows the product is faster than that of libraries, which use what CPUs have for bfloat16.
pub(super) const FEW: i64 = 4;
/// Weights of a part of the work at most.
const PART: usize = 1 << 16;
/// Products below this many are not worth a second thread; in tests all are, so that it is tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 16 };

/// `x [T, in]`, `weight [out, in]`, `bias [out]`, all bfloat16 → `[T, out]`, or nothing when this is no case for it.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Option<Tensor>> {
    let (&[rows, inner], &[out, columns]) = (x.size().as_slice(), weight.size().as_slice()) else { return Ok(None) };
    let fits = |t: &Tensor| t.kind() == Kind::BFloat16 && t.device() == Device::Cpu;
    let sizes = (1..=FEW).contains(&rows) && inner == columns && inner > 0;
    let usable = sizes && fits(x) && bias.is_none_or(|b| fits(b) && b.size() == [out]);
    let (true, Some(_), Some(w)) = (usable, Instructions::best(), Halves::of(weight)) else { return Ok(None) };
    let bias = bias.map(Numbers::of).transpose()?;
    let product = multiply(&Numbers::of(x)?, &w, bias.as_deref(), [rows, inner, out])?;
    product.f_to_kind(Kind::BFloat16).op("linear").map(Some)
}

/// The product of `x` and `w` of the given `[rows, in, out]`, in float32.
fn multiply(x: &[f32], w: &[u16], bias: Option<&[f32]>, [rows, inner, out]: [i64; 3]) -> Result<Tensor> {
    let result = Tensor::f_empty([rows, out], (Kind::Float, Device::Cpu)).op("linear")?;
    let (rows, inner, out) = (rows as usize, inner as usize, out as usize);
    let target = Target { start: result.data_ptr().cast(), width: out };
    let product = Product { x, w, bias, inner, rows, target };
    // Not so few that a thread has nothing to do while another does the last.
    let threads = usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1);
    let size = (PART / inner).min(out.div_ceil(4 * threads)).max(1).next_multiple_of(16);
    let parts = out.div_ceil(size);
    let work = |part: usize| product.part(part * size..((part + 1) * size).min(out));
    match rows * inner * out >= PARALLEL_FROM {
        true => parallel::for_each(parts, &work),
        false => (0..parts).for_each(work),
    }
    Ok(result)
}

/// Where the outputs go: `[rows, width]`.
struct Target {
    start: *mut f32,
    width: usize,
}

// SAFETY: parts of the work write to different columns, and nobody reads before all are done.
unsafe impl Sync for Target {}

impl Target {
    /// # Safety
    /// `row` is below the number of rows, `column` below `width`, and no other thread writes there.
    unsafe fn set(&self, row: usize, column: usize, value: f32) {
        // SAFETY: as the caller has it.
        unsafe { self.start.add(row * self.width + column).write(value) }
    }
}

/// The operands as slices.
struct Product<'a> {
    x: &'a [f32],
    w: &'a [u16],
    bias: Option<&'a [f32]>,
    inner: usize,
    rows: usize,
    target: Target,
}

impl Product<'_> {
    /// The outputs `columns` of all rows.
    fn part(&self, columns: Range<usize>) {
        match Instructions::best() {
            // SAFETY: the CPU has AVX-512F.
            #[cfg(target_arch = "x86_64")]
            Some(Instructions::Avx512) => unsafe { kernels::avx512::part(self, columns) },
            // SAFETY: the CPU has AVX2 and FMA.
            #[cfg(target_arch = "x86_64")]
            Some(Instructions::Avx2) => unsafe { kernels::avx2::part(self, columns) },
            None => {}
        }
    }
}

#[cfg(test)]
mod tests;

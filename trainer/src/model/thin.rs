//! `x Wᵀ + b` for a few rows of x, as decoding has them: one token of each sequence.
//!
//! Matrix libraries copy W into blocks before they multiply, which pays when many rows use it; with few rows the copy is most
//! of the time. Here W `[out, in]` is streamed once as it lies: each number of it is read once from memory and used for all
//! rows. Every output is one sum in one fixed order (a register of lanes over `in`, fused multiply-add, then a tree), whatever the number
//! of rows and threads: so a sequence's numbers do not depend on the company in which it is decoded. For float32, and for
//! fewer rows bfloat16, on CPUs with AVX-512, or AVX2 and FMA; elsewhere the caller uses libtorch.

mod kernels;

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use self::kernels::Weight;

use crate::error::{Result, TensorResult};
use crate::numbers::{Halves, Numbers, plain};
use crate::parallel;

/// Up to this many rows the product is faster than the matrix library's.
pub(super) const FEW: i64 = 16;
/// The same for bfloat16, of which libraries are faster where the CPU multiplies it.
const FEW_HALVES: i64 = 4;
/// Weights of a part of the work at most.
const PART: usize = 1 << 16;
/// Products below this many are not worth a second thread; in tests all are, so that it is tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 16 };

/// Up to this many rows of a kind on the CPU, each row's numbers are what they are alone; 0: not here.
pub(super) fn independent_rows(kind: Kind) -> i64 {
    match kind {
        _ if !fast() => 0,
        Kind::Float => FEW,
        Kind::BFloat16 => FEW_HALVES,
        _ => 0,
    }
}

/// `x [T, in]`, `weight [out, in]`, `bias [out]`, of one kind → `[T, out]` without a graph, or nothing when this is no case
/// for it. Sums are in float32; those of bfloat16 are rounded once, at the end.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Option<Tensor>> {
    let (&[rows, inner], &[out, columns]) = (x.size().as_slice(), weight.size().as_slice()) else { return Ok(None) };
    let kind = weight.kind();
    let fits = |t: &Tensor| t.kind() == kind && t.device() == Device::Cpu;
    let sizes = (1..=independent_rows(kind)).contains(&rows) && inner == columns && inner > 0;
    let usable = sizes && fits(x) && fits(weight) && bias.is_none_or(|b| fits(b) && b.size() == [out]);
    if !usable {
        return Ok(None);
    }
    let bias = bias.map(Numbers::of).transpose()?;
    let (bias, x, sizes) = (bias.as_deref(), Numbers::of(x)?, [rows, inner, out]);
    match Halves::of(weight) {
        Some(w) => multiply(&x, &w, bias, sizes)?.f_to_kind(kind).op("linear").map(Some),
        None if plain(weight, Kind::Float) => multiply(&x, &Numbers::of(weight)?, bias, sizes).map(Some),
        None => Ok(None),
    }
}

/// The product of `x` and `w` of the given `[rows, in, out]`, in float32.
fn multiply<W: Weight>(x: &[f32], w: &[W], bias: Option<&[f32]>, [rows, inner, out]: [i64; 3]) -> Result<Tensor> {
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

/// Whether there is a kernel for this CPU.
#[cfg(target_arch = "x86_64")]
fn fast() -> bool {
    std::is_x86_feature_detected!("avx512f")
        || std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma")
}

#[cfg(not(target_arch = "x86_64"))]
fn fast() -> bool {
    false
}

/// The operands as slices.
struct Product<'a, W> {
    x: &'a [f32],
    w: &'a [W],
    bias: Option<&'a [f32]>,
    inner: usize,
    rows: usize,
    target: Target,
}

impl<W: Weight> Product<'_, W> {
    /// The outputs `columns` of all rows.
    fn part(&self, columns: Range<usize>) {
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") {
                // SAFETY: the CPU has AVX-512F, as was just asked.
                unsafe { W::avx512(self, columns) }
            } else if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                // SAFETY: the CPU has AVX2 and FMA, as was just asked.
                unsafe { W::avx2(self, columns) }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = columns;
    }
}

#[cfg(test)]
mod tests;

//! `x Wᵀ + b` for a few rows of x, as decoding has them: one token of each sequence.
//!
//! Matrix libraries copy W into blocks before they multiply, which pays when many rows use it; with few rows the copy is most
//! of the time. Here W `[out, in]` is streamed once as it lies: each number of it is read once from memory and used for all
//! rows. Every output is one sum in one fixed order (a register of lanes over `in`, fused multiply-add, then a tree), whatever the number
//! of rows and threads: so a sequence's numbers do not depend on the company in which it is decoded. For float32 on CPUs with
//! AVX-512, or AVX2 and FMA; elsewhere the caller uses libtorch.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::error::{Result, TensorResult};
use crate::parallel;

/// Up to this many rows the product is faster than the matrix library's.
const FEW: i64 = 16;
/// Outputs of a part of the work: their weights are some hundred kilobytes.
const PART: usize = 256;
/// Products below this many are not worth a second thread; in tests all are, so that it is tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 18 };

/// `x [T, in]`, `weight [out, in]`, `bias [out]` → `[T, out]` without a graph, or nothing when this is no case for it.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Option<Tensor>> {
    let plain = |t: &Tensor| t.kind() == Kind::Float && t.device() == Device::Cpu && t.is_contiguous();
    let (&[rows, inner], &[out, columns]) = (x.size().as_slice(), weight.size().as_slice()) else { return Ok(None) };
    let usable = (1..=FEW).contains(&rows) && inner == columns && inner > 0 && plain(weight) && fast();
    if !usable
        || bias.is_some_and(|b| !plain(b) || b.size() != [out])
        || x.kind() != Kind::Float
        || x.device() != Device::Cpu
    {
        return Ok(None);
    }
    let x = x.f_contiguous().op("linear")?;
    let result = Tensor::f_empty([rows, out], (Kind::Float, Device::Cpu)).op("linear")?;
    let (rows, inner, out) = (rows as usize, inner as usize, out as usize);
    // SAFETY: the three are contiguous float32 CPU tensors of the sizes just read, alive until the end of this function, and
    // nothing writes to them meanwhile: weights change between passes only.
    let (x, w, b) = unsafe { (numbers(&x), numbers(weight), bias.map(|b| numbers(b))) };
    let target = Target { start: result.data_ptr().cast(), width: out };
    let product = Product { x, w, bias: b, inner, rows, target };
    let parts = out.div_ceil(PART);
    let work = |part: usize| product.part(part * PART..((part + 1) * PART).min(out));
    match rows * inner * out >= PARALLEL_FROM {
        true => parallel::for_each(parts, &work),
        false => (0..parts).for_each(work),
    }
    Ok(Some(result))
}

/// # Safety
/// `tensor` is a contiguous float32 CPU tensor that outlives the slice and is not written to meanwhile.
unsafe fn numbers<'a>(tensor: &Tensor) -> &'a [f32] {
    match tensor.numel() {
        0 => &[],
        // SAFETY: as the caller has it.
        n => unsafe { std::slice::from_raw_parts(tensor.data_ptr().cast::<f32>().cast_const(), n) },
    }
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
struct Product<'a> {
    x: &'a [f32],
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    inner: usize,
    rows: usize,
    target: Target,
}

impl Product<'_> {
    /// The outputs `columns` of all rows.
    fn part(&self, columns: Range<usize>) {
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") {
                // SAFETY: the CPU has AVX-512F, as was just asked.
                unsafe { avx512::part(self, columns) }
            } else if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                // SAFETY: the CPU has AVX2 and FMA, as was just asked.
                unsafe { avx2::part(self, columns) }
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = columns;
    }
}

/// Defines `part` for one instruction set: blocks of `$outs` outputs, and of each the rows, `$most` or `$some` at a time, so
/// that the sums of a block stay in registers.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($name:ident, $feature:literal, $lanes:literal, [$most:literal, $some:literal], $outs:literal, $zero:ident, $load:ident, $fma:ident, $total:expr) => {
        mod $name {
            use std::arch::x86_64::{$fma, $load, $zero};
            use std::ops::Range;

            use super::Product;

            #[target_feature(enable = $feature)]
            pub(super) fn part(p: &Product<'_>, columns: Range<usize>) {
                let mut column = columns.start;
                while column < columns.end {
                    let wide = column + $outs <= columns.end;
                    let mut row = 0;
                    while row < p.rows {
                        let left = p.rows - row;
                        row += match (left, wide) {
                            ($most.., true) => block::<$most, $outs>(p, row, column),
                            ($most.., false) => block::<$most, 1>(p, row, column),
                            ($some.., true) => block::<$some, $outs>(p, row, column),
                            ($some.., false) => block::<$some, 1>(p, row, column),
                            (_, true) => block::<1, $outs>(p, row, column),
                            (_, false) => block::<1, 1>(p, row, column),
                        };
                    }
                    column += if wide { $outs } else { 1 };
                }
            }

            /// Computes and writes M rows of O outputs; returns M.
            #[target_feature(enable = $feature)]
            fn block<const M: usize, const O: usize>(p: &Product<'_>, row: usize, column: usize) -> usize {
                let x: [&[f32]; M] = std::array::from_fn(|m| &p.x[(row + m) * p.inner..][..p.inner]);
                let w: [&[f32]; O] = std::array::from_fn(|o| &p.w[(column + o) * p.inner..][..p.inner]);
                let mut sums = [[$zero(); O]; M];
                let whole = p.inner / $lanes * $lanes;
                let mut at = 0;
                while at < whole {
                    // SAFETY: `at + lanes` is at most the length of each slice.
                    let ws: [_; O] = std::array::from_fn(|o| unsafe { $load(w[o].as_ptr().add(at)) });
                    for m in 0..M {
                        // SAFETY: as above.
                        let xs = unsafe { $load(x[m].as_ptr().add(at)) };
                        for o in 0..O {
                            sums[m][o] = $fma(xs, ws[o], sums[m][o]);
                        }
                    }
                    at += $lanes;
                }
                for m in 0..M {
                    for o in 0..O {
                        let mut sum = $total(sums[m][o]);
                        for i in whole..p.inner {
                            sum = x[m][i].mul_add(w[o][i], sum);
                        }
                        let bias = p.bias.map_or(0.0, |b| b[column + o]);
                        // SAFETY: the block lies within the rows and within the columns of this part of the work.
                        unsafe { p.target.set(row + m, column + o, sum + bias) }
                    }
                }
                M
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(avx512, "avx512f", 16, [8, 4], 3, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_fmadd_ps, |v| {
    std::arch::x86_64::_mm512_reduce_add_ps(v)
});
#[cfg(target_arch = "x86_64")]
kernel!(avx2, "avx2,fma", 8, [4, 2], 2, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_fmadd_ps, |v| {
    let mut lanes = [0.0f32; 8];
    // SAFETY: there is room for eight numbers.
    unsafe { std::arch::x86_64::_mm256_storeu_ps(lanes.as_mut_ptr(), v) };
    ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]))
});

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(rows: i64, columns: i64, phase: f64) -> Tensor {
        ((Tensor::arange(rows * columns, (Kind::Double, Device::Cpu)) * 0.731 + phase).sin())
            .to_kind(Kind::Float)
            .view([rows, columns])
    }

    #[test]
    fn equals_the_formula_for_any_size() {
        for (inner, out) in [(1, 1), (5, 3), (16, 4), (17, 257), (64, 515), (100, 6)] {
            for rows in [1, 2, 3, 4, 5, 8, FEW] {
                let (x, w, b) = (wave(rows, inner, 0.1), wave(out, inner, 0.2), wave(1, out, 0.3).view([out]));
                for bias in [None, Some(&b)] {
                    let Some(have) = linear(&x, &w, bias).unwrap() else { continue };
                    let double = |t: &Tensor| t.to_kind(Kind::Double);
                    let want = double(&x).linear(&double(&w), bias.map(double).as_ref());
                    let apart = (double(&have) - want).abs().max().double_value(&[]);
                    assert!(apart < 1e-5, "{rows} rows, {inner} to {out}: {apart:e}");
                }
            }
        }
    }

    #[test]
    fn a_row_does_not_depend_on_its_company_or_the_threads() {
        let (x, w) = (wave(7, 100, 0.1), wave(600, 100, 0.2));
        let Some(together) = linear(&x, &w, None).unwrap() else { return };
        for threads in [1, 2, 3] {
            let before = tch::get_num_threads();
            tch::set_num_threads(threads);
            for row in 0..7 {
                let alone = linear(&x.narrow(0, row, 1), &w, None).unwrap().unwrap();
                assert!(alone.equal(&together.narrow(0, row, 1)));
            }
            tch::set_num_threads(before);
        }
    }

    #[test]
    fn other_cases_are_left_to_libtorch() {
        let (x, w) = (wave(2, 16, 0.1), wave(4, 16, 0.2));
        assert!(linear(&x.to_kind(Kind::BFloat16), &w, None).unwrap().is_none());
        assert!(linear(&wave(FEW + 1, 16, 0.1), &w, None).unwrap().is_none());
        assert!(linear(&x, &w.transpose(0, 1), None).unwrap().is_none());
        assert!(linear(&x, &wave(4, 15, 0.2), None).unwrap().is_none());
        assert!(linear(&x.view([2, 16, 1]), &w, None).unwrap().is_none());
    }
}

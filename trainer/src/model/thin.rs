//! `x Wᵀ + b` for a few rows of x, as decoding has them: one token of each sequence.
//!
//! Matrix libraries copy W into blocks before they multiply, which pays when many rows use it; with few rows the copy is most
//! of the time. Here W `[out, in]` is streamed once as it lies: each number of it is read once from memory and used for all
//! rows. Every output is one sum in one fixed order (a register of lanes over `in`, fused multiply-add, then a tree), whatever the number
//! of rows and threads: so a sequence's numbers do not depend on the company in which it is decoded. For float32, and for
//! fewer rows bfloat16, on CPUs with AVX-512, or AVX2 and FMA; elsewhere the caller uses libtorch.

use std::ops::Range;

use tch::{Device, Kind, Tensor};

use crate::error::{Result, TensorResult};
use crate::numbers::{Halves, Numbers, plain};
use crate::parallel;

/// Up to this many rows the product is faster than the matrix library's.
pub(super) const FEW: i64 = 16;
/// The same for bfloat16, of which libraries are faster where the CPU multiplies it.
const FEW_HALVES: i64 = 4;
/// Weights of a part of the work at most.
const PART: usize = 1 << 16;
/// Numbers that the first-level cache holds beside what else is in it.
const NEAR: usize = 1 << 13;
/// How many numbers ahead of their use weights are asked for.
const AHEAD: usize = 1024;
/// Products below this many are not worth a second thread; in tests all are, so that it is tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 16 };

/// `x [T, in]`, `weight [out, in]`, `bias [out]`, of one kind → `[T, out]` without a graph, or nothing when this is no case
/// for it. Sums are in float32; those of bfloat16 are rounded once, at the end.
pub(super) fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Option<Tensor>> {
    let (&[rows, inner], &[out, columns]) = (x.size().as_slice(), weight.size().as_slice()) else { return Ok(None) };
    let kind = weight.kind();
    let most = if kind == Kind::Float { FEW } else { FEW_HALVES };
    let fits = |t: &Tensor| t.kind() == kind && t.device() == Device::Cpu;
    let sizes = (1..=most).contains(&rows) && inner == columns && inner > 0;
    let usable = sizes && fits(x) && fits(weight) && bias.is_none_or(|b| fits(b) && b.size() == [out]);
    if !usable || !fast() {
        return Ok(None);
    }
    let bias = bias.map(Numbers::of).transpose()?;
    let (bias, x, sizes) = (bias.as_deref(), Numbers::of(x)?, [rows, inner, out]);
    match Halves::of(weight) {
        Some(w) => multiply(&x, &w, bias, sizes)?.f_to_kind(kind).op("linear").map(Some),
        None if plain(weight) => multiply(&x, &Numbers::of(weight)?, bias, sizes).map(Some),
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

/// A kind of weight: float32, or bfloat16 as its 16 bits.
trait Weight: Copy + Sync {
    /// As float32.
    fn wide(self) -> f32;

    /// # Safety
    /// The CPU has AVX-512F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx512(product: &Product<'_, Self>, columns: Range<usize>);

    /// # Safety
    /// The CPU has AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    unsafe fn avx2(product: &Product<'_, Self>, columns: Range<usize>);
}

/// The kernels of a kind of weight.
macro_rules! weight {
    ($kind:ty, $wide:expr, $avx512:ident, $avx2:ident) => {
        impl Weight for $kind {
            fn wide(self) -> f32 {
                $wide(self)
            }

            #[cfg(target_arch = "x86_64")]
            unsafe fn avx512(product: &Product<'_, Self>, columns: Range<usize>) {
                // SAFETY: as the caller has it.
                unsafe { $avx512::part(product, columns) }
            }

            #[cfg(target_arch = "x86_64")]
            unsafe fn avx2(product: &Product<'_, Self>, columns: Range<usize>) {
                // SAFETY: as the caller has it.
                unsafe { $avx2::part(product, columns) }
            }
        }
    };
}

weight!(f32, |x: f32| x, avx512, avx2);
weight!(u16, |x: u16| f32::from_bits(u32::from(x) << 16), avx512_halves, avx2_halves);

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

/// Defines `part` for one instruction set. A block is some rows by some outputs, as many sums as a register has lanes, which
/// stay in registers; the sums of their lanes are then made together, each by the same tree.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($feature:literal, $register:ident, $lanes:literal, [$most:literal, $some:literal], $zero:ident, $load:ident, $fma:ident, $weight:ty, $load_weight:ident) => {
        use std::ops::Range;

        use super::{AHEAD, NEAR, Weight as _};
        use crate::lanes::ask;

        type Product<'a> = super::Product<'a, $weight>;

        #[target_feature(enable = $feature)]
        pub(super) fn part(p: &Product<'_>, columns: Range<usize>) {
            // All rows use some outputs' weights while they are in the first-level cache.
            let few =
                if p.rows > $most { (NEAR / p.inner).next_multiple_of($lanes).max($lanes) } else { columns.len() };
            for start in columns.clone().step_by(few) {
                let columns = start..(start + few).min(columns.end);
                let mut row = 0;
                while row < p.rows {
                    row += match p.rows - row {
                        $most.. => strip::<$most, { $lanes / $most }>(p, row, columns.clone()),
                        $some.. => strip::<$some, { $lanes / $some }>(p, row, columns.clone()),
                        _ => strip::<1, $lanes>(p, row, columns.clone()),
                    };
                }
            }
        }

        /// M rows by some columns; returns M.
        #[target_feature(enable = $feature)]
        fn strip<const M: usize, const O: usize>(p: &Product<'_>, row: usize, columns: Range<usize>) -> usize {
            let mut column = columns.start;
            while column + O <= columns.end {
                block::<M, O>(p, row, column);
                column += O;
            }
            for column in column..columns.end {
                block::<M, 1>(p, row, column);
            }
            M
        }

        /// M rows of O outputs.
        #[target_feature(enable = $feature)]
        fn block<const M: usize, const O: usize>(p: &Product<'_>, row: usize, column: usize) {
            let x: [&[f32]; M] = std::array::from_fn(|m| &p.x[(row + m) * p.inner..][..p.inner]);
            let w: [&[$weight]; O] = std::array::from_fn(|o| &p.w[(column + o) * p.inner..][..p.inner]);
            let mut sums = [[$zero(); O]; M];
            let whole = p.inner / $lanes * $lanes;
            let mut at = 0;
            while at < whole {
                // SAFETY: `at + lanes` is at most the length of each slice.
                let xs: [$register; M] = std::array::from_fn(|m| unsafe { $load(x[m].as_ptr().add(at)) });
                for o in 0..O {
                    ask(w[o], at + AHEAD);
                    // SAFETY: as above.
                    let ws = unsafe { $load_weight(w[o].as_ptr().add(at)) };
                    for m in 0..M {
                        sums[m][o] = $fma(xs[m], ws, sums[m][o]);
                    }
                }
                at += $lanes;
            }
            let mut all = [$zero(); $lanes];
            for m in 0..M {
                for o in 0..O {
                    all[m * O + o] = sums[m][o];
                }
            }
            let totals = totals(all);
            for m in 0..M {
                for o in 0..O {
                    let mut sum = totals[m * O + o];
                    for i in whole..p.inner {
                        sum = x[m][i].mul_add(w[o][i].wide(), sum);
                    }
                    let bias = p.bias.map_or(0.0, |b| b[column + o]);
                    // SAFETY: the block lies within the rows and within the columns of this part of the work.
                    unsafe { p.target.set(row + m, column + o, sum + bias) }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;

    kernel!("avx512f", __m512, 16, [8, 4], _mm512_setzero_ps, _mm512_loadu_ps, _mm512_fmadd_ps, f32, _mm512_loadu_ps);

    /// The sum of the lanes of each register.
    #[target_feature(enable = "avx512f")]
    pub(super) fn totals(v: [__m512; 16]) -> [f32; 16] {
        // Pairs of registers, then fours, each quarter by itself; then the quarters.
        let pairs: [__m512; 8] = std::array::from_fn(|i| {
            let (a, b) = (v[2 * i], v[2 * i + 1]);
            _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b))
        });
        let fours: [__m512; 4] = std::array::from_fn(|i| {
            let (a, b) = (_mm512_castps_pd(pairs[2 * i]), _mm512_castps_pd(pairs[2 * i + 1]));
            let (low, high) = (_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
            _mm512_add_ps(_mm512_castpd_ps(low), _mm512_castpd_ps(high))
        });
        let eights: [__m512; 2] = std::array::from_fn(|i| {
            let (a, b) = (fours[2 * i], fours[2 * i + 1]);
            _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xEE>(a, b))
        });
        let [a, b] = eights;
        let all = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xDD>(a, b));
        let mut out = [0.0; 16];
        // SAFETY: there is room for sixteen numbers.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), all) };
        out
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::*;

    kernel!("avx2,fma", __m256, 8, [4, 2], _mm256_setzero_ps, _mm256_loadu_ps, _mm256_fmadd_ps, f32, _mm256_loadu_ps);

    /// The sum of the lanes of each register.
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn totals(v: [__m256; 8]) -> [f32; 8] {
        // Pairs of registers, then fours, each half by itself; then the halves.
        let pairs: [__m256; 4] = std::array::from_fn(|i| {
            let (a, b) = (v[2 * i], v[2 * i + 1]);
            _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
        });
        let fours: [__m256; 2] = std::array::from_fn(|i| {
            let (a, b) = (_mm256_castps_pd(pairs[2 * i]), _mm256_castps_pd(pairs[2 * i + 1]));
            let (low, high) = (_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
            _mm256_add_ps(_mm256_castpd_ps(low), _mm256_castpd_ps(high))
        });
        let [a, b] = fours;
        let all = _mm256_add_ps(_mm256_permute2f128_ps::<0x20>(a, b), _mm256_permute2f128_ps::<0x31>(a, b));
        let mut out = [0.0; 8];
        // SAFETY: there is room for eight numbers.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), all) };
        out
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512_halves {
    use std::arch::x86_64::*;

    use super::avx512::totals;

    kernel!("avx512f", __m512, 16, [8, 4], _mm512_setzero_ps, _mm512_loadu_ps, _mm512_fmadd_ps, u16, load);

    /// # Safety
    /// There are sixteen numbers.
    #[target_feature(enable = "avx512f")]
    unsafe fn load(from: *const u16) -> __m512 {
        // SAFETY: as the caller has it.
        let halves = unsafe { _mm256_loadu_si256(from.cast()) };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2_halves {
    use std::arch::x86_64::*;

    use super::avx2::totals;

    kernel!("avx2,fma", __m256, 8, [4, 2], _mm256_setzero_ps, _mm256_loadu_ps, _mm256_fmadd_ps, u16, load);

    /// # Safety
    /// There are eight numbers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn load(from: *const u16) -> __m256 {
        // SAFETY: as the caller has it.
        let halves = unsafe { _mm_loadu_si128(from.cast()) };
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }
}

#[cfg(test)]
mod tests;

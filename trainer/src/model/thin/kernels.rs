//! The loops of [`super::linear`], one set for each set of instructions and kind of weight.

use std::ops::Range;

use super::Product;

/// Numbers that the first-level cache holds beside what else is in it.
#[cfg(target_arch = "x86_64")]
const NEAR: usize = 1 << 13;
/// How many numbers ahead of their use weights are asked for.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 1024;

/// A kind of weight: float32, or bfloat16 as its 16 bits.
pub(super) trait Weight: Copy + Sync {
    /// As float32.
    #[cfg(target_arch = "x86_64")]
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
            #[cfg(target_arch = "x86_64")]
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
        pub(in super::super) fn part(p: &Product<'_>, columns: Range<usize>) {
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
pub(super) mod avx2 {
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
pub(super) mod avx2_halves {
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

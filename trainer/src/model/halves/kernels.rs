//! The loops of [`super::linear`], one set for each set of instructions.

/// How many numbers ahead of their use weights are asked for.
#[cfg(target_arch = "x86_64")]
const AHEAD: usize = 1024;

/// A bfloat16 as float32.
#[cfg(target_arch = "x86_64")]
fn wide(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// Defines `part` for one instruction set. A block is some rows by some outputs, as many sums as a register has lanes, which
/// stay in registers; the sums of their lanes are then made together, each by the same tree.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    ($feature:literal, $lanes:literal, $zero:ident, $load:ident, $fma:ident) => {
        use std::ops::Range;

        use super::super::Product;
        use super::{AHEAD, wide};
        use crate::lanes::ask;

        #[target_feature(enable = $feature)]
        pub(in super::super) fn part(p: &Product<'_>, columns: Range<usize>) {
            let mut row = 0;
            while row < p.rows {
                row += match p.rows - row {
                    4.. => strip::<4, { $lanes / 4 }>(p, row, columns.clone()),
                    2.. => strip::<2, { $lanes / 2 }>(p, row, columns.clone()),
                    _ => strip::<1, $lanes>(p, row, columns.clone()),
                };
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
            let w: [&[u16]; O] = std::array::from_fn(|o| &p.w[(column + o) * p.inner..][..p.inner]);
            let mut sums = [[$zero(); O]; M];
            let whole = p.inner / $lanes * $lanes;
            let mut at = 0;
            while at < whole {
                // Not by a closure, into which the instructions would not be inlined.
                let mut xs = [$zero(); M];
                for m in 0..M {
                    // SAFETY: `at + lanes` is at most the length of each slice.
                    xs[m] = unsafe { $load(x[m].as_ptr().add(at)) };
                }
                for o in 0..O {
                    ask(w[o].as_ptr(), at + AHEAD);
                    // SAFETY: as above.
                    let ws = unsafe { load(w[o].as_ptr().add(at)) };
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
                        sum = x[m][i].mul_add(wide(w[o][i]), sum);
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
pub(super) mod avx512 {
    use std::arch::x86_64::*;

    kernel!("avx512f", 16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_fmadd_ps);

    /// # Safety
    /// There are sixteen numbers.
    #[target_feature(enable = "avx512f")]
    unsafe fn load(from: *const u16) -> __m512 {
        // SAFETY: as the caller has it.
        let halves = unsafe { _mm256_loadu_si256(from.cast()) };
        _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
    }

    /// The sum of the lanes of each register.
    #[target_feature(enable = "avx512f")]
    fn totals(v: [__m512; 16]) -> [f32; 16] {
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

    kernel!("avx2,fma", 8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_fmadd_ps);

    /// # Safety
    /// There are eight numbers.
    #[target_feature(enable = "avx2,fma")]
    unsafe fn load(from: *const u16) -> __m256 {
        // SAFETY: as the caller has it.
        let halves = unsafe { _mm_loadu_si128(from.cast()) };
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(halves)))
    }

    /// The sum of the lanes of each register.
    #[target_feature(enable = "avx2,fma")]
    fn totals(v: [__m256; 8]) -> [f32; 8] {
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

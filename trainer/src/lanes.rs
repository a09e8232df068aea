//! Loops over f32 that must be fast: written in plain Rust, compiled twice, for the baseline of the target and for
//! AVX-512 or AVX2 (with FMA) where the CPU has them. All versions make the same operations in the same order (16 lanes; fused
//! multiply-add where it is written), so they give the same bits.

/// Lanes of the accumulators: one AVX-512 register, two of AVX2.
pub(crate) const LANES: usize = 16;
/// Numbers of a long row whose sum is made in f32; such sums are added in f64.
pub(crate) const CHUNK: usize = 1024;

/// The sets of instructions that there are loops of intrinsics for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// With FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Instructions {
    /// The best that the CPU has; none where there are no loops for it.
    pub fn best() -> Option<Instructions> {
        #[cfg(target_arch = "x86_64")]
        {
            if std::is_x86_feature_detected!("avx512f") {
                return Some(Instructions::Avx512);
            }
            if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                return Some(Instructions::Avx2);
            }
        }
        None
    }
}

/// Declares a function whose body is compiled for several instruction sets; the best that the CPU has is chosen at each
/// call.
macro_rules! widest {
    ($(#[$doc:meta])* $vis:vis fn $name:ident $(<const $G:ident: usize>)? ($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<const $G: usize>)? ($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            #[allow(clippy::too_many_arguments)]
            fn body $(<const $G: usize>)? ($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2 $(<const $G: usize>)? ($($arg: $ty),*) $(-> $ret)? { body $(::<$G>)? ($($arg),*) }
                #[target_feature(enable = "avx512f")]
                #[allow(clippy::too_many_arguments)]
                fn avx512 $(<const $G: usize>)? ($($arg: $ty),*) $(-> $ret)? { body $(::<$G>)? ($($arg),*) }
                if std::is_x86_feature_detected!("avx512f") {
                    // SAFETY: the CPU has AVX-512F, as was just asked.
                    return unsafe { avx512 $(::<$G>)? ($($arg),*) };
                }
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    // SAFETY: the CPU has AVX2 and FMA, as was just asked.
                    return unsafe { avx2 $(::<$G>)? ($($arg),*) };
                }
            }
            body $(::<$G>)? ($($arg),*)
        }
    };
}
pub(crate) use widest;

/// Asks for the number `ahead` behind a place to be brought near, whether there is one or not: for loops whose sums wait for
/// memory, so that the processor does not look far ahead by itself.
#[inline(always)]
pub(crate) fn ask<T>(place: *const T, ahead: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: every x86-64 has SSE, and a prefetch reads nothing, wherever it points to.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.wrapping_add(ahead).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (place, ahead);
}

/// e^x for x ≤ 0, to 2 units in the last place; 0 below −87, NaN for NaN.
///
/// x = n ln 2 + r, then the polynomial of Cephes `expf` (Moshier 1989) for e^r and an exponent for 2^n; made of
/// operations that vectorise.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// ln 2 = 355/512 − 2.12e−4, split so that n · 355/512 is exact. Adding 1.5·2²³ leaves the nearest integer in the
    /// low bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * (355.0 / 512.0) + n * 2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p * r + c;
    }
    let power = p * r * r + r + 1.0;
    let exponent = shifted.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    if x < -87.0 { 0.0 } else { power * f32::from_bits(exponent) }
}

widest! {
    /// The largest number of a row (−∞ for an empty one); NaN if there is one among them.
    pub(crate) fn maximum(row: &[f32]) -> f32 {
        let mut best = [f32::NEG_INFINITY; LANES];
        let mut nan = [false; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for i in 0..LANES {
                best[i] = if chunk[i] > best[i] { chunk[i] } else { best[i] };
                nan[i] |= chunk[i].is_nan();
            }
        }
        let max = best.iter().chain(rest).fold(f32::NEG_INFINITY, |max, &x| if x > max { x } else { max });
        if nan.contains(&true) || rest.iter().any(|x| x.is_nan()) { f32::NAN } else { max }
    }
}

widest! {
    /// Replaces each x by e^((x − shift)·scale) and returns the sum.
    pub(crate) fn exp_in_place(row: &mut [f32], shift: f32, scale: f32) -> f32 {
        let mut sums = [0.0f32; LANES];
        let mut chunks = row.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for i in 0..LANES {
                chunk[i] = exp((chunk[i] - shift) * scale);
                sums[i] += chunk[i];
            }
        }
        for (x, sum) in chunks.into_remainder().iter_mut().zip(&mut sums) {
            *x = exp((*x - shift) * scale);
            *sum += *x;
        }
        sums.iter().sum()
    }
}

widest! {
    /// [`exp_in_place`] of `x = (number − shift)·scale`; returns Σ eˣ and Σ x·eˣ.
    pub(crate) fn exp_weighted_in_place(row: &mut [f32], shift: f32, scale: f32) -> [f32; 2] {
        let (mut sums, mut weighted) = ([0.0f32; LANES], [0.0f32; LANES]);
        let mut chunks = row.chunks_exact_mut(LANES);
        for chunk in &mut chunks {
            for i in 0..LANES {
                let x = (chunk[i] - shift) * scale;
                chunk[i] = exp(x);
                sums[i] += chunk[i];
                weighted[i] += x.max(-88.0) * chunk[i];
            }
        }
        for ((number, sum), weighted) in chunks.into_remainder().iter_mut().zip(&mut sums).zip(&mut weighted) {
            let x = (*number - shift) * scale;
            *number = exp(x);
            *sum += *number;
            *weighted += x.max(-88.0) * *number;
        }
        [sums.iter().sum(), weighted.iter().sum()]
    }
}

widest! {
    /// Multiplies each number by a factor.
    pub(crate) fn scale_in_place(row: &mut [f32], factor: f32) {
        for x in row {
            *x *= factor;
        }
    }
}

widest! {
    /// Σ e^((x − shift)·scale).
    pub(crate) fn exp_sum(row: &[f32], shift: f32, scale: f32) -> f32 {
        let mut sums = [0.0f32; LANES];
        let chunks = row.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for i in 0..LANES {
                sums[i] += exp((chunk[i] - shift) * scale);
            }
        }
        for (&x, sum) in rest.iter().zip(&mut sums) {
            *sum += exp((x - shift) * scale);
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_to_two_units() {
        let mut worst = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp(x)) - want).abs() / want);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "{worst:e}");
        assert_eq!((exp(0.0), exp(-88.0), exp(f32::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn rows_of_any_length() {
        for n in [0usize, 1, 15, 16, 17, 1000] {
            let row: Vec<f32> = (0..n).map(|i| ((i * 37 % 101) as f32 - 100.0) * 0.1).collect();
            assert_eq!(maximum(&row), row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let want: f64 = row.iter().map(|&x| ((f64::from(x) - 0.5) * 0.7).exp()).sum();
            assert!((f64::from(exp_sum(&row, 0.5, 0.7)) - want).abs() <= want * 1e-6);
            let mut copy = row.clone();
            assert_eq!(exp_in_place(&mut copy, 0.5, 0.7), exp_sum(&row, 0.5, 0.7));
            for (e, x) in copy.iter().zip(&row) {
                assert_eq!(*e, exp((x - 0.5) * 0.7));
            }
        }
    }

    #[test]
    fn one_nan_makes_the_maximum_nan() {
        for at in [0, 16, 20] {
            let mut row = vec![1.0; 21];
            row[at] = f32::NAN;
            assert!(maximum(&row).is_nan());
        }
    }
}

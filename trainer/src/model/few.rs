//! The operations between the products of a layer for a few rows without a graph, as decoding has them: libtorch would
//! take longer to call its kernels than they take to compute. Each makes one pass over plain slices, for float32 on the
//! CPU; elsewhere, and for more rows, the caller uses libtorch.

use tch::Tensor;

use super::thin::FEW;
use crate::error::Result;
use crate::lanes::{LANES, exp, widest};
use crate::numbers::{Numbers, filled, plain};

/// Whether `tensors`, the first of them with a token a row, are a case for this file.
fn fits(tensors: &[&Tensor]) -> bool {
    let rows = tensors.first().and_then(|t| t.size().first().copied()).unwrap_or(0);
    (1..=FEW).contains(&rows) && tensors.iter().all(|t| plain(t))
}

/// Root-mean-square norm of each vector of `width` numbers: `x [T, …, width]`, `weight [width]`.
pub(super) fn norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Option<Tensor>> {
    if !fits(&[x, weight]) {
        return Ok(None);
    }
    let (numbers, weights) = (Numbers::of(x)?, Numbers::of(weight)?);
    filled(&x.size(), |out| {
        norm_each(&numbers, &weights, eps as f32, out);
        Ok(())
    })
    .map(Some)
}

/// `silu(gate) · up` of two tensors of one shape, with `silu(x) = x / (1 + e⁻ˣ)`.
pub(super) fn gated(gate: &Tensor, up: &Tensor) -> Result<Option<Tensor>> {
    if !fits(&[gate, up]) {
        return Ok(None);
    }
    let (gates, ups) = (Numbers::of(gate)?, Numbers::of(up)?);
    filled(&gate.size(), |out| {
        gate_each(&gates, &ups, out);
        Ok(())
    })
    .map(Some)
}

/// `x [T, heads, width]` turned by `cos` and `sin` `[T, 1, width]`: `x · cos + (halves of x exchanged) · sin`.
pub(super) fn turned(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Option<Tensor>> {
    if !fits(&[x, cos, sin]) {
        return Ok(None);
    }
    let &[rows, _, width] = x.size().as_slice() else { return Ok(None) };
    let (numbers, cos, sin) = (Numbers::of(x)?, Numbers::of(cos)?, Numbers::of(sin)?);
    let (row, width) = (numbers.len() / rows as usize, width as usize);
    filled(&x.size(), |out| {
        let angles = cos.chunks_exact(width).zip(sin.chunks_exact(width));
        for ((x, out), (cos, sin)) in numbers.chunks_exact(row).zip(out.chunks_exact_mut(row)).zip(angles) {
            turn_each(x, cos, sin, out);
        }
        Ok(())
    })
    .map(Some)
}

widest! {
    fn norm_each(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        for (x, out) in x.chunks_exact(weight.len()).zip(out.chunks_exact_mut(weight.len())) {
            let mut sums = [0.0f32; LANES];
            let chunks = x.chunks_exact(LANES);
            let rest = chunks.remainder();
            for chunk in chunks {
                for i in 0..LANES {
                    sums[i] += chunk[i] * chunk[i];
                }
            }
            for (x, sum) in rest.iter().zip(&mut sums) {
                *sum += x * x;
            }
            let scale = 1.0 / (sums.iter().sum::<f32>() / weight.len() as f32 + eps).sqrt();
            for ((out, x), w) in out.iter_mut().zip(x).zip(weight) {
                *out = x * scale * w;
            }
        }
    }
}

widest! {
    fn gate_each(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, &x), up) in out.iter_mut().zip(gate).zip(up) {
            // e to a number that is not positive cannot overflow.
            let e = exp(-x.abs());
            *out = x * (if x < 0.0 { e } else { 1.0 }) / (1.0 + e) * up;
        }
    }
}

widest! {
    /// All heads of one token.
    fn turn_each(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
        let half = cos.len() / 2;
        for (x, out) in x.chunks_exact(cos.len()).zip(out.chunks_exact_mut(cos.len())) {
            let (low, high) = x.split_at(half);
            let (cos_low, cos_high) = cos.split_at(half);
            let (sin_low, sin_high) = sin.split_at(half);
            let (out_low, out_high) = out.split_at_mut(half);
            for i in 0..half {
                out_low[i] = low[i] * cos_low[i] + high[i] * sin_low[i];
                out_high[i] = high[i] * cos_high[i] + low[i] * sin_high[i];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    fn wave(shape: &[i64], phase: f64) -> Tensor {
        let n: i64 = shape.iter().product();
        let line = (Tensor::arange(n, (Kind::Double, Device::Cpu)) * 0.731 + phase).sin() * 3.0;
        line.to_kind(Kind::Float).view(shape)
    }

    fn near(have: Option<Tensor>, want: &Tensor) {
        let apart = (have.unwrap() - want).abs().max().double_value(&[]);
        assert!(apart < 2e-6, "{apart:e}");
    }

    #[test]
    fn each_equals_libtorch() {
        for (rows, heads, width) in [(1, 1, 2), (3, 2, 24), (FEW, 3, 64)] {
            let (x, y) = (wave(&[rows, heads, width], 0.1), wave(&[rows, heads, width], 0.2));
            let weight = wave(&[width], 0.3);
            near(norm(&x, &weight, 1e-6).unwrap(), &x.rms_norm([width], Some(&weight), 1e-6));
            near(gated(&x, &y).unwrap(), &(x.silu() * &y));
            let (cos, sin) = (wave(&[rows, 1, width], 0.4), wave(&[rows, 1, width], 0.5));
            near(turned(&x, &cos, &sin).unwrap(), &(&x * &cos + x.roll([width / 2], [-1]) * &sin));
        }
    }

    #[test]
    fn extremes_of_the_gate() {
        let gate = Tensor::from_slice(&[200.0f32, -200.0, 0.0, f32::NAN]).view([1, 4]);
        let out = gated(&gate, &Tensor::ones([1, 4], (Kind::Float, Device::Cpu))).unwrap().unwrap();
        let out: Vec<f32> = Vec::try_from(out.view([4])).unwrap();
        assert_eq!(out[..3], [200.0, -0.0, 0.0]);
        assert!(out[3].is_nan());
    }

    #[test]
    fn other_cases_are_left_to_libtorch() {
        let (x, w) = (wave(&[2, 8], 0.1), wave(&[8], 0.2));
        assert!(norm(&x.to_kind(Kind::BFloat16), &w, 1e-6).unwrap().is_none());
        assert!(norm(&wave(&[FEW + 1, 8], 0.1), &w, 1e-6).unwrap().is_none());
        assert!(gated(&x, &wave(&[8, 2], 0.1).transpose(0, 1)).unwrap().is_none());
    }
}

//! The operations between the products of a layer without a graph, each in one pass over plain slices: for a few rows, as
//! decoding has them, libtorch would take longer to call its kernels than they take to compute. For float32, and a few rows of
//! bfloat16, on the CPU; elsewhere the caller uses libtorch. A row's numbers do not depend on its company.
//!
//! Bfloat16 is computed in float32 and rounded wherever libtorch, operation by operation, would round.

use std::sync::Mutex;

use tch::{Kind, Tensor};

use crate::error::{Result, TensorResult};
use crate::lanes::{LANES, exp, widest};
use crate::numbers::{Numbers, filled, plain};
use crate::parallel;

/// Up to this many rows of bfloat16 are a case for this file.
const FEW: i64 = 16;
/// Numbers of a part of the work.
const PART: usize = 1 << 15;

/// The kind of `tensors`, the first of them with a token a row, where they are a case for this file.
fn fits(tensors: &[&Tensor]) -> Option<Kind> {
    let first = tensors.first()?;
    let (rows, kind) = (first.size().first().copied()?, first.kind());
    let usable = rows > 0 && (kind == Kind::Float || kind == Kind::BFloat16 && rows <= FEW);
    (usable && tensors.iter().all(|t| plain(t, kind))).then_some(kind)
}

/// A tensor of a kind and a shape that `write` fills, vectors of `unit` numbers at a time: it gets the place of the first of
/// some numbers, these, and whether to round to bfloat16 on the way.
fn made(
    kind: Kind,
    shape: &[i64],
    unit: usize,
    write: &(dyn Fn(usize, &mut [f32], bool) + Sync),
) -> Result<Option<Tensor>> {
    let wide = filled(shape, |out| {
        let size = (PART / unit).max(1) * unit;
        let parts: Vec<_> = out.chunks_mut(size).map(Mutex::new).collect();
        parallel::for_each(parts.len(), &|part| {
            // Nobody else asks for this lock: a part is done once.
            if let Ok(mut out) = parts[part].lock() {
                write(part * size, &mut out, kind == Kind::BFloat16);
            }
        });
        Ok(())
    })?;
    match kind {
        Kind::Float => Ok(Some(wide)),
        _ => wide.f_to_kind(kind).op("to bfloat16").map(Some),
    }
}

/// Root-mean-square norm of each vector of `width` numbers: `x [T, …, width]`, `weight [width]`.
pub(super) fn norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Option<Tensor>> {
    let Some(kind) = fits(&[x, weight]) else { return Ok(None) };
    let (numbers, weights) = (Numbers::of(x)?, Numbers::of(weight)?);
    let (numbers, weights) = (&*numbers, &*weights);
    made(kind, &x.size(), weights.len(), &|at, out, halves| {
        let x = &numbers[at..at + out.len()];
        match halves {
            true => norm_each::<ROUND>(x, weights, eps as f32, out),
            false => norm_each::<KEEP>(x, weights, eps as f32, out),
        }
    })
}

/// `silu(gate) · up` of two tensors of one shape, with `silu(x) = x / (1 + e⁻ˣ)`.
pub(super) fn gated(gate: &Tensor, up: &Tensor) -> Result<Option<Tensor>> {
    let Some(kind) = fits(&[gate, up]) else { return Ok(None) };
    let (gates, ups) = (Numbers::of(gate)?, Numbers::of(up)?);
    let (gates, ups) = (&*gates, &*ups);
    made(kind, &gate.size(), 1, &|at, out, halves| {
        let (gate, up) = (&gates[at..at + out.len()], &ups[at..at + out.len()]);
        match halves {
            true => gate_each::<ROUND>(gate, up, out),
            false => gate_each::<KEEP>(gate, up, out),
        }
    })
}

/// `x [T, heads, width]` turned by `cos` and `sin` `[T, 1, width]`: `x · cos + (halves of x exchanged) · sin`.
pub(super) fn turned(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Option<Tensor>> {
    let Some(kind) = fits(&[x, cos, sin]) else { return Ok(None) };
    let &[_, heads, width] = x.size().as_slice() else { return Ok(None) };
    let (numbers, cos, sin) = (Numbers::of(x)?, Numbers::of(cos)?, Numbers::of(sin)?);
    let (numbers, cos, sin) = (&*numbers, &*cos, &*sin);
    let (width, row) = (width as usize, (heads * width) as usize);
    made(kind, &x.size(), row, &|at, out, halves| {
        let angles = cos.chunks_exact(width).zip(sin.chunks_exact(width)).skip(at / row);
        for ((x, out), (cos, sin)) in numbers[at..].chunks_exact(row).zip(out.chunks_exact_mut(row)).zip(angles) {
            match halves {
                true => turn_each::<ROUND>(x, cos, sin, out),
                false => turn_each::<KEEP>(x, cos, sin, out),
            }
        }
    })
}

/// Whether what a loop computes is rounded to bfloat16.
const KEEP: usize = 0;
const ROUND: usize = 1;

/// To the nearest bfloat16, even ones among equals, where asked for. The NaN that arithmetic makes stays one.
#[inline(always)]
fn round<const R: usize>(x: f32) -> f32 {
    let bits = x.to_bits();
    let up = bits.wrapping_add(0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000;
    if R == ROUND { f32::from_bits(up) } else { x }
}

widest! {
    fn norm_each<const R: usize>(x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
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
                *out = round::<R>(x * scale) * w;
            }
        }
    }
}

widest! {
    fn gate_each<const R: usize>(gate: &[f32], up: &[f32], out: &mut [f32]) {
        for ((out, &x), up) in out.iter_mut().zip(gate).zip(up) {
            // e to a number that is not positive cannot overflow.
            let e = exp(-x.abs());
            *out = round::<R>(x * (if x < 0.0 { e } else { 1.0 }) / (1.0 + e)) * up;
        }
    }
}

widest! {
    /// All heads of one token.
    fn turn_each<const R: usize>(x: &[f32], cos: &[f32], sin: &[f32], out: &mut [f32]) {
        let half = cos.len() / 2;
        for (x, out) in x.chunks_exact(cos.len()).zip(out.chunks_exact_mut(cos.len())) {
            let (low, high) = x.split_at(half);
            let (cos_low, cos_high) = cos.split_at(half);
            let (sin_low, sin_high) = sin.split_at(half);
            let (out_low, out_high) = out.split_at_mut(half);
            for i in 0..half {
                out_low[i] = round::<R>(low[i] * cos_low[i]) + round::<R>(high[i] * sin_low[i]);
                out_high[i] = round::<R>(high[i] * cos_high[i]) + round::<R>(low[i] * sin_high[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

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
        for (rows, heads, width) in [(1, 1, 2), (3, 2, 24), (FEW, 3, 64), (700, 3, 24)] {
            let (x, y) = (wave(&[rows, heads, width], 0.1), wave(&[rows, heads, width], 0.2));
            let weight = wave(&[width], 0.3);
            near(norm(&x, &weight, 1e-6).unwrap(), &x.rms_norm([width], Some(&weight), 1e-6));
            near(gated(&x, &y).unwrap(), &(x.silu() * &y));
            let (cos, sin) = (wave(&[rows, 1, width], 0.4), wave(&[rows, 1, width], 0.5));
            near(turned(&x, &cos, &sin).unwrap(), &(&x * &cos + x.roll([width / 2], [-1]) * &sin));
        }
    }

    /// Sums in another order may round to the neighbour: half a unit in 256.
    #[test]
    fn each_equals_libtorch_in_bfloat16() {
        let half = |shape: &[i64], phase| wave(shape, phase).to_kind(Kind::BFloat16);
        let near = |have: Option<Tensor>, want: &Tensor| {
            let (have, want) = (have.unwrap(), want.to_kind(Kind::Float));
            assert_eq!(have.kind(), Kind::BFloat16);
            let apart = (have.to_kind(Kind::Float) - &want).abs();
            assert!(bool::try_from(apart.le_tensor(&(want.abs() / 128.0 + 1e-6)).all()).unwrap());
            // All but a few are the same.
            assert!(apart.count_nonzero(None::<i64>).int64_value(&[]) * 50 <= want.numel() as i64);
        };
        let (x, y) = (half(&[5, 3, 64], 0.1), half(&[5, 3, 64], 0.2));
        let (weight, cos, sin) = (half(&[64], 0.3), half(&[5, 1, 64], 0.4), half(&[5, 1, 64], 0.5));
        let normed = x.to_kind(Kind::Float).rms_norm([64], None::<&Tensor>, 1e-6).to_kind(Kind::BFloat16) * &weight;
        near(norm(&x, &weight, 1e-6).unwrap(), &normed);
        near(gated(&x, &y).unwrap(), &(x.silu() * &y));
        near(turned(&x, &cos, &sin).unwrap(), &(&x * &cos + x.roll([32], [-1]) * &sin));
    }

    #[test]
    fn extremes_of_the_gate() {
        let gate = Tensor::from_slice(&[200.0f32, -200.0, 0.0, f32::NAN]).view([1, 4]);
        let out = gated(&gate, &Tensor::ones([1, 4], (Kind::Float, Device::Cpu))).unwrap().unwrap();
        let out: Vec<f32> = Vec::try_from(out.view([4])).unwrap();
        assert_eq!(out[..3], [200.0, -0.0, 0.0]);
        assert!(out[3].is_nan());
        assert!(round::<ROUND>(f32::NAN).is_nan() && round::<ROUND>(f32::INFINITY - f32::INFINITY).is_nan());
        assert_eq!(round::<ROUND>(f32::NEG_INFINITY), f32::NEG_INFINITY);
    }

    #[test]
    fn other_cases_are_left_to_libtorch() {
        let (x, w) = (wave(&[2, 8], 0.1), wave(&[8], 0.2));
        assert!(norm(&x.to_kind(Kind::BFloat16), &w, 1e-6).unwrap().is_none());
        assert!(norm(&x.to_kind(Kind::Half), &w.to_kind(Kind::Half), 1e-6).unwrap().is_none());
        let many = wave(&[FEW + 1, 8], 0.1).to_kind(Kind::BFloat16);
        assert!(norm(&many, &w.to_kind(Kind::BFloat16), 1e-6).unwrap().is_none());
        assert!(gated(&x, &wave(&[8, 2], 0.1).transpose(0, 1)).unwrap().is_none());
    }
}

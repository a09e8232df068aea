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

/// From the gradient of [`norm`]'s output to those of `x` and of the weight; float32 only. With n the normed x without its
/// weight and s its scale: `s (g·w − n · mean(g·w·n))` and the sum of `g·n` over all vectors.
pub(super) fn norm_backward(x: &Tensor, weight: &Tensor, eps: f64, g: &Tensor) -> Result<Option<[Tensor; 2]>> {
    let Some(Kind::Float) = fits(&[x, weight, g]) else { return Ok(None) };
    let (numbers, weights, gradients) = (Numbers::of(x)?, Numbers::of(weight)?, Numbers::of(g)?);
    let (numbers, weights, gradients) = (&*numbers, &*weights, &*gradients);
    let size = (PART / weights.len()).max(1) * weights.len();
    // Sums by part, so that they do not depend on the threads.
    let parts: Vec<Mutex<Vec<f32>>> = numbers.chunks(size).map(|_| Mutex::new(vec![0.0; weights.len()])).collect();
    let by_x = made(Kind::Float, &x.size(), weights.len(), &|at, out, _| {
        if let Ok(mut by_weight) = parts[at / size].lock() {
            let part = at..at + out.len();
            norm_each_backward(&numbers[part.clone()], weights, eps as f32, &gradients[part], &mut by_weight, out);
        }
    })?;
    let by_weight = filled(&weight.size(), |sum| {
        for part in parts {
            let part = part.into_inner().unwrap_or_default();
            sum.iter_mut().zip(part).for_each(|(sum, x)| *sum += x);
        }
        Ok(())
    })?;
    Ok(by_x.map(|by_x| [by_x, by_weight]))
}

/// From the gradient of [`gated`]'s output to those of `gate` and `up`; float32 only.
pub(super) fn gated_backward(gate: &Tensor, up: &Tensor, g: &Tensor) -> Result<Option<[Tensor; 2]>> {
    let Some(Kind::Float) = fits(&[gate, up, g]) else { return Ok(None) };
    let (gates, ups, gs) = (Numbers::of(gate)?, Numbers::of(up)?, Numbers::of(g)?);
    let (gates, ups, gs) = (&*gates, &*ups, &*gs);
    let by_gate = made(Kind::Float, &gate.size(), 1, &|at, out, _| {
        let part = at..at + out.len();
        gate_each_backward(&gates[part.clone()], &ups[part.clone()], &gs[part], out);
    })?;
    // The gate itself is what `up` is multiplied with.
    let by_up = gated(gate, g)?;
    Ok(by_gate.zip(by_up).map(|(by_gate, by_up)| [by_gate, by_up]))
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
    fn norm_each_backward(x: &[f32], weight: &[f32], eps: f32, g: &[f32], by_weight: &mut [f32], out: &mut [f32]) {
        let width = weight.len();
        for ((x, g), out) in x.chunks_exact(width).zip(g.chunks_exact(width)).zip(out.chunks_exact_mut(width)) {
            let (mut squares, mut products) = ([0.0f32; LANES], [0.0f32; LANES]);
            let whole = width / LANES * LANES;
            let mut at = 0;
            while at < whole {
                let (x, g, w) = (&x[at..][..LANES], &g[at..][..LANES], &weight[at..][..LANES]);
                for i in 0..LANES {
                    squares[i] += x[i] * x[i];
                    products[i] += x[i] * g[i] * w[i];
                }
                at += LANES;
            }
            for i in whole..width {
                squares[i - whole] += x[i] * x[i];
                products[i - whole] += x[i] * g[i] * weight[i];
            }
            let scale = 1.0 / (squares.iter().sum::<f32>() / width as f32 + eps).sqrt();
            let mean = products.iter().sum::<f32>() * scale / width as f32;
            for ((((out, &x), &g), &w), sum) in out.iter_mut().zip(x).zip(g).zip(weight).zip(&mut *by_weight) {
                let n = x * scale;
                *sum += g * n;
                *out = scale * (g * w - n * mean);
            }
        }
    }
}

widest! {
    fn gate_each_backward(gate: &[f32], up: &[f32], g: &[f32], out: &mut [f32]) {
        for (((out, &x), up), g) in out.iter_mut().zip(gate).zip(up).zip(g) {
            // e to a number that is not positive cannot overflow.
            let e = exp(-x.abs());
            let sigmoid = (if x < 0.0 { e } else { 1.0 }) / (1.0 + e);
            *out = g * up * sigmoid * (1.0 + x * (1.0 - sigmoid));
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
    fn each_way_back_equals_autograd() {
        for (rows, heads, width) in [(1, 1, 2), (3, 2, 24), (700, 3, 64)] {
            let leaf = |shape: &[i64], phase| wave(shape, phase).set_requires_grad(true);
            let (x, weight, up) =
                (leaf(&[rows, heads, width], 0.1), leaf(&[width], 0.3), leaf(&[rows, heads, width], 0.2));
            let g = wave(&[rows, heads, width], 0.7);
            let have = norm_backward(&x, &weight, 1e-6, &g).unwrap().unwrap();
            (x.rms_norm([width], Some(&weight), 1e-6) * &g).sum(Kind::Float).backward();
            let scale = weight.grad().abs().max().double_value(&[]).max(1.0);
            let [by_x, by_weight] = have;
            near(Some(by_x), &x.grad());
            near(Some(by_weight / scale), &(weight.grad() / scale));
            let mut x = x;
            x.zero_grad();
            let [by_gate, by_up] = gated_backward(&x, &up, &g).unwrap().unwrap();
            (x.silu() * &up * &g).sum(Kind::Float).backward();
            near(Some(by_gate / 9.0), &(x.grad() / 9.0));
            near(Some(by_up / 9.0), &(up.grad() / 9.0));
        }
    }

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

//! The arithmetic of one AdamW step (Loshchilov & Hutter 2019, algorithm 2, with decay scaled by the rate as in
//! PyTorch):
//!
//! ```text
//! g ← s·g        m ← β₁m + (1−β₁)g        v ← β₂v + (1−β₂)g²
//! p ← (1 − ηλ)p − η/(1−β₁ᵗ) · m / ( √v/√(1−β₂ᵗ) + ε )
//! ```
//!
//! On the CPU one loop over plain slices reads and writes each number once, on as many threads as libtorch uses; every
//! number is computed by itself, so the threads do not change a bit. Elsewhere the same formula is a dozen tensor
//! operations.

use tch::{Kind, Tensor};

use crate::error::{Error, Result, TensorResult};
use crate::numbers::plain;

/// Numbers of a chunk that a thread works off: 4 arrays of 64 Ki floats stay inside its cache share.
const CHUNK: usize = 1 << 16;
/// Below this many numbers a second thread costs more than it saves.
const PARALLEL_FROM: usize = 1 << 18;

/// The scalars of one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Coefficients {
    /// s: what gradients are multiplied by (clipping).
    pub grad_scale: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    /// η/(1−β₁ᵗ).
    pub step_size: f64,
    /// 1/√(1−β₂ᵗ).
    pub inverse_root_correction: f64,
}

/// One parameter's tensors, all float32, of one shape, on one device.
pub(super) struct Update {
    pub weight: Tensor,
    pub grad: Tensor,
    pub mean: Tensor,
    pub square: Tensor,
    /// 1 − ηλ; 1 without decay.
    pub keep: f64,
}

/// Makes the step in place.
pub(super) fn apply(updates: &mut [Update], c: &Coefficients) -> Result<()> {
    let (mut fused, mut total) = (Vec::new(), 0);
    for u in updates {
        let tensors = [&u.weight, &u.grad, &u.mean, &u.square];
        if !tensors.iter().all(|t| plain(t, Kind::Float) && t.numel() == u.weight.numel()) {
            by_tensor_operations(u, c)?;
            continue;
        }
        let n = u.weight.numel();
        total += n;
        // SAFETY: each pointer is that of a live, contiguous float32 CPU tensor of `n` numbers (checked above) that `u`
        // keeps alive for the whole call. The optimiser made `mean` and `square` itself, autograd made `grad`, and no
        // two parameters share a tensor (`AdamW::new` refuses that), so the four do not overlap and nothing else
        // touches them meanwhile.
        let (w, g, m, v) = unsafe {
            let [w, g, m, v] = tensors.map(|t| t.data_ptr().cast::<f32>());
            if n == 0 {
                continue;
            }
            (
                std::slice::from_raw_parts_mut(w, n),
                std::slice::from_raw_parts(g.cast_const(), n),
                std::slice::from_raw_parts_mut(m, n),
                std::slice::from_raw_parts_mut(v, n),
            )
        };
        let chunks = w.chunks_mut(CHUNK).zip(g.chunks(CHUNK)).zip(m.chunks_mut(CHUNK)).zip(v.chunks_mut(CHUNK));
        fused.extend(chunks.map(|(((w, g), m), v)| Piece { w, g, m, v, keep: u.keep as f32 }));
    }
    let threads = if total < PARALLEL_FROM { 1 } else { usize::try_from(tch::get_num_threads()).unwrap_or(1).max(1) };
    let share = fused.len().div_ceil(threads).max(1);
    let run = |part: &mut [Piece<'_>]| part.iter_mut().for_each(|piece| piece.step(c));
    std::thread::scope(|scope| {
        let mut parts = fused.chunks_mut(share);
        let own = parts.next();
        for part in parts {
            scope.spawn(move || run(part));
        }
        own.map(run);
    });
    Ok(())
}

/// A part of one parameter.
struct Piece<'a> {
    w: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    keep: f32,
}

impl Piece<'_> {
    fn step(&mut self, c: &Coefficients) {
        let (scale, step_size, epsilon, keep) = (c.grad_scale as f32, c.step_size as f32, c.epsilon as f32, self.keep);
        let (beta1, beta2) = (c.beta1 as f32, c.beta2 as f32);
        let (rest1, rest2) = ((1.0 - c.beta1) as f32, (1.0 - c.beta2) as f32);
        let correction = c.inverse_root_correction as f32;
        for (((w, &g), m), v) in self.w.iter_mut().zip(self.g).zip(self.m.iter_mut()).zip(self.v.iter_mut()) {
            let g = scale * g;
            *m = beta1 * *m + rest1 * g;
            *v = beta2 * *v + rest2 * g * g;
            *w = keep * *w - step_size * *m / (v.sqrt() * correction + epsilon);
        }
    }
}

fn by_tensor_operations(u: &mut Update, c: &Coefficients) -> Result<()> {
    let g = u.grad.f_mul_scalar(c.grad_scale).op("AdamW: scale gradient")?;
    if g.size() != u.weight.size() {
        return Err(Error::Tensor {
            operation: "AdamW",
            message: format!("gradient {:?} for a weight {:?}", g.size(), u.weight.size()),
        });
    }
    let square = g.f_square().op("AdamW: square gradient")?;
    let _ = u.mean.f_lerp_(&g, 1.0 - c.beta1).op("AdamW: mean")?;
    let _ = u.square.f_lerp_(&square, 1.0 - c.beta2).op("AdamW: square")?;
    let mut denominator = u.square.f_sqrt().op("AdamW: root")?;
    let mut denominator = denominator.f_mul_scalar_(c.inverse_root_correction).op("AdamW: correction")?;
    let denominator = denominator.f_add_scalar_(c.epsilon).op("AdamW: epsilon")?;
    let mut update = u.mean.f_div(&denominator).op("AdamW: quotient")?;
    let update = update.f_mul_scalar_(-c.step_size).op("AdamW: rate")?;
    let _ = u.weight.f_mul_scalar_(u.keep).op("AdamW: decay")?.f_add_(&update).op("AdamW: update")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::testing::in_own_process;

    fn updates(n: i64) -> Vec<Update> {
        let wave = |phase: f64| {
            (Tensor::arange(n, (Kind::Double, Device::Cpu)) * 0.37 + phase).sin().to_kind(Kind::Float).contiguous()
        };
        vec![Update { weight: wave(0.0), grad: wave(1.0), mean: wave(2.0), square: wave(3.0).square(), keep: 0.999 }]
    }

    const C: Coefficients = Coefficients {
        grad_scale: 0.7,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        step_size: 0.01,
        inverse_root_correction: 1.7,
    };

    #[test]
    fn both_ways_agree_whatever_the_number_of_threads() {
        in_own_process(module_path!(), "both_ways_agree_whatever_the_number_of_threads", || {
            // More than PARALLEL_FROM numbers, and not a multiple of CHUNK.
            let n = (PARALLEL_FROM + CHUNK + 13) as i64;
            tch::set_num_threads(2);
            let (mut a, mut b) = (updates(n), updates(n));
            apply(&mut a, &C).unwrap();
            by_tensor_operations(&mut b[0], &C).unwrap();
            for (x, y) in [(&a[0].weight, &b[0].weight), (&a[0].mean, &b[0].mean), (&a[0].square, &b[0].square)] {
                assert!((x - y).abs().max().double_value(&[]) < 1e-6);
            }
            tch::set_num_threads(1);
            let mut c = updates(n);
            apply(&mut c, &C).unwrap();
            assert!(a[0].weight.equal(&c[0].weight));
        });
    }

    #[test]
    fn an_empty_tensor_is_no_trouble() {
        apply(&mut updates(0), &C).unwrap();
    }
}

//! The way back through a layer, from what its forward pass left behind.
//!
//! All but attention has its gradient in closed form; attention, and elsewhere than in float32 on the CPU norms and gate too, is
//! computed once more under autograd. So the forward pass needs no graph and can use the loops that decoding uses: what was
//! drawn and what is trained on are the same numbers.

use tch::{Kind, Tensor};

use super::attention::Attention;
use super::between;
use super::layer::Layer;
use super::linear::Linear;
use super::rope::Rotation;
use crate::error::{Result, TensorResult};

/// What a pass through a layer leaves for the way back; T tokens, R of them wanted behind attention.
#[derive(Debug)]
pub(crate) struct Tape {
    /// Into the layer, `[T, hidden]`.
    pub(super) x: Tensor,
    /// Its norm.
    pub(super) normed: Tensor,
    /// Queries, keys and values as projected, `[T, heads, head_dim]`.
    pub(super) heads: [Tensor; 3],
    /// Out of attention, `[R, heads · head_dim]`.
    pub(super) mixed: Tensor,
    /// Between attention and MLP, `[R, hidden]`.
    pub(super) middle: Tensor,
    /// Its norm.
    pub(super) middle_normed: Tensor,
    pub(super) gate: Tensor,
    pub(super) up: Tensor,
    /// `silu(gate) · up`.
    pub(super) inner: Tensor,
}

impl Layer {
    /// Adds the gradients of the layer's parameters to those that they have and returns that of its input `[T, hidden]`,
    /// `gradient` being that of its output `[R, hidden]`. `attention` builds a graph.
    pub(super) fn backward(
        &self,
        index: usize,
        tape: Tape,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: Option<&Tensor>,
        gradient: &Tensor,
    ) -> Result<Tensor> {
        let Tape { x, normed, heads: [q, k, v], mixed, middle, middle_normed, gate, up, inner } = tape;
        let [q_proj, k_proj, v_proj, o_proj] = &self.attention;
        let [gate_proj, up_proj, down_proj] = &self.mlp;
        let sum = |mut a: Tensor, b: &Tensor| a.f_add_(b).op("gradient");

        let by_inner = down_proj.backward(&inner, gradient)?;
        drop(inner);
        let [by_gate, by_up] = match between::gated_backward(&gate, &up, &by_inner)? {
            Some(gradients) => gradients,
            None => section([&gate, &up], &by_inner, |[gate, up]| Layer::gated(gate, up, true))?,
        };
        drop((gate, up, by_inner));
        let by_norm = sum(gate_proj.backward(&middle_normed, &by_gate)?, &up_proj.backward(&middle_normed, &by_up)?)?;
        let by_middle = sum(self.post_norm.backward(&middle, &by_norm)?, gradient)?;

        let by_mixed = o_proj.backward(&mixed, &by_middle)?;
        let everywhere = |part: &Tensor| match rows {
            Some(rows) => {
                let width = part.size().last().copied().unwrap_or(0);
                let all =
                    x.f_new_zeros([x.size().first().copied().unwrap_or(0), width], (part.f_kind()?, part.device()));
                all?.f_index_add(0, rows, part)
            }
            None => Ok(part.shallow_clone()),
        };
        let (by_mixed, by_middle) = (everywhere(&by_mixed).op("rows")?, everywhere(&by_middle).op("rows")?);
        let [turned_q, turned_k] = self.turned([&q, &k], rotation, false)?;
        let [by_q, by_k, by_v] = section([&turned_q, &turned_k, &v], &by_mixed, |[q, k, v]| {
            let mixed = attention.attend(index, q.shallow_clone(), k.shallow_clone(), v.shallow_clone())?;
            mixed.f_flatten(1, 2).op("heads")
        })?;
        let back = rotation.back()?;
        let unturned = |x: &Tensor, by: Tensor, norm: usize| {
            let by = back.apply(&by.f_contiguous().op("heads")?, false)?;
            match &self.head_norms {
                Some(norms) => norms[norm].backward(x, &by),
                None => Ok(by),
            }
        };
        let (by_q, by_k) = (unturned(&q, by_q, 0)?, unturned(&k, by_k, 1)?);
        let through = |proj: &Linear, by: &Tensor| proj.backward(&normed, &by.f_flatten(1, 2).op("heads")?);
        let by_norm = sum(sum(through(q_proj, &by_q)?, &through(k_proj, &by_k)?)?, &through(v_proj, &by_v)?)?;
        sum(self.input_norm.backward(&x, &by_norm)?, &by_middle)
    }
}

impl Linear {
    /// From the gradient of the outputs `[T, out]` for inputs `x [T, in]` to that of the inputs; adds those of the weights.
    fn backward(&self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        match &self.adapter {
            Some(adapter) if adapter.on && adapter.magnitude.is_some() => {
                let [by_x] = section([x], gradient, |[x]| self.forward(x, true))?;
                Ok(by_x)
            }
            Some(adapter) if adapter.on => {
                let [by_x] = section([x], gradient, |[x]| adapter.low_rank(x, true))?;
                by_x.f_add(&self.plain_backward(x, gradient)?).op("gradient")
            }
            _ => self.plain_backward(x, gradient),
        }
    }

    /// Without the adapter.
    fn plain_backward(&self, x: &Tensor, by_y: &Tensor) -> Result<Tensor> {
        if self.weight.requires_grad() {
            let mut sum = gradient(&self.weight)?;
            let _ = by_y.f_transpose(0, 1).and_then(|by_y| sum.f_addmm_(&by_y, x)).op("gradient")?;
        }
        if let Some(bias) = self.bias.as_ref().filter(|bias| bias.requires_grad()) {
            let mut sum = gradient(bias)?;
            let _ = by_y
                .f_sum_dim_intlist([0i64].as_slice(), false, by_y.kind())
                .and_then(|t| sum.f_add_(&t))
                .op("gradient")?;
        }
        by_y.f_mm(&self.weight).op("gradient")
    }
}

/// The gradients of a section's inputs from that of its output: the section is computed with a graph, which adds the gradients
/// of the parameters in it to those that they have.
pub(super) fn section<const N: usize>(
    inputs: [&Tensor; N],
    gradient: &Tensor,
    compute: impl FnOnce([&Tensor; N]) -> Result<Tensor>,
) -> Result<[Tensor; N]> {
    tch::with_grad(|| {
        let leaf = |x: &Tensor| x.f_detach().and_then(|t| t.f_set_requires_grad(true)).op("leaf");
        let mut leaves = Vec::with_capacity(N);
        for input in inputs {
            leaves.push(leaf(input)?);
        }
        let y = compute(std::array::from_fn(|i| &leaves[i]))?;
        // The derivative of Σ y·g by y is g; there is no call that takes g itself.
        y.f_mul(gradient).and_then(|t| t.f_sum(Kind::Float)?.f_backward()).op("backward")?;
        let gradients = leaves.iter().map(|leaf| leaf.f_grad()).collect::<Result<Vec<_>, _>>().op("backward")?;
        Ok(std::array::from_fn(|i| gradients[i].shallow_clone()))
    })
}

/// The gradient of a parameter, zeros when it has none yet; shares its memory.
pub(crate) fn gradient(parameter: &Tensor) -> Result<Tensor> {
    let grad = parameter.f_grad().op("gradient")?;
    if grad.defined() {
        return Ok(grad);
    }
    // There is no call that sets a gradient: let autograd make one. The derivative of `0 · Σ parameter` is 0 everywhere.
    tch::with_grad(|| parameter.f_sum(Kind::Float)?.f_mul_scalar(0.0)?.f_backward()).op("gradient")?;
    parameter.f_grad().op("gradient")
}

//! One block of the decoder: attention and MLP, each behind a norm and added to the residual stream.
//!
//! `x += o_proj(attention(q, k, v))`, `x += down_proj(silu(gate_proj(y)) · up_proj(y))`, with `y` the norm of x; Qwen3
//! normalises queries and keys per head before they are rotated.

use tch::Tensor;

use super::attention::Attention;
use super::backward::Tape;
use super::between;
use super::linear::Linear;
use super::norm::RmsNorm;
use super::rope::Rotation;
use crate::error::{Result, TensorResult};

#[derive(Debug)]
pub(super) struct Layer {
    pub(super) input_norm: RmsNorm,
    /// In the order of `names::PROJECTIONS`: query, key, value, output.
    pub(super) attention: [Linear; 4],
    /// Norms of queries and keys per head.
    pub(super) head_norms: Option<[RmsNorm; 2]>,
    pub(super) post_norm: RmsNorm,
    /// Gate, up, down.
    pub(super) mlp: [Linear; 3],
    pub(super) head_dim: i64,
}

impl Layer {
    /// `x [T, hidden]` → `[T, hidden]`, or `[R, hidden]` when only `rows [R]` i64 are wanted: keys and values come from
    /// all tokens, what follows attention from the rows. With what the way back needs.
    pub(super) fn forward(
        &self,
        index: usize,
        x: &Tensor,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: Option<&Tensor>,
    ) -> Result<(Tensor, Tape)> {
        let graph = attention.wants_gradient();
        let [q_proj, k_proj, v_proj, o_proj] = &self.attention;
        let [gate_proj, up_proj, down_proj] = &self.mlp;
        let normed = self.input_norm.forward(x, graph)?;
        let by_head = |t: Tensor| t.f_view([-1, t.size().last().copied().unwrap_or(0) / self.head_dim, self.head_dim]);
        let heads = |proj: &Linear| by_head(proj.forward(&normed, graph)?).op("heads");
        let heads = [heads(q_proj)?, heads(k_proj)?, heads(v_proj)?];
        let [q, k] = self.turned([&heads[0], &heads[1]], rotation, graph)?;
        let mut mixed = attention.attend(index, q, k, heads[2].shallow_clone())?.f_flatten(1, 2).op("heads")?;
        let mut behind = x.shallow_clone();
        if let Some(rows) = rows {
            (behind, mixed) = (x.f_index_select(0, rows).op("rows")?, mixed.f_index_select(0, rows).op("rows")?);
        }
        let middle = behind.f_add(&o_proj.forward(&mixed, graph)?).op("residual")?;
        let middle_normed = self.post_norm.forward(&middle, graph)?;
        let (gate, up) = (gate_proj.forward(&middle_normed, graph)?, up_proj.forward(&middle_normed, graph)?);
        let inner = Layer::gated(&gate, &up, graph)?;
        let y = middle.f_add(&down_proj.forward(&inner, graph)?).op("residual")?;
        Ok((y, Tape { x: x.shallow_clone(), normed, heads, mixed, middle, middle_normed, gate, up, inner }))
    }

    /// Queries and keys as projected, `[T, heads, head_dim]`, as attention takes them: normed, where the model does so, and turned.
    pub(super) fn turned(&self, [q, k]: [&Tensor; 2], rotation: &Rotation, graph: bool) -> Result<[Tensor; 2]> {
        let turned = |x: &Tensor, norm: usize| match &self.head_norms {
            Some(norms) => rotation.apply(&norms[norm].forward(x, graph)?, graph),
            None => rotation.apply(x, graph),
        };
        Ok([turned(q, 0)?, turned(k, 1)?])
    }

    /// `silu(gate) · up`.
    pub(super) fn gated(gate: &Tensor, up: &Tensor, graph: bool) -> Result<Tensor> {
        if !graph && let Some(inner) = between::gated(gate, up)? {
            return Ok(inner);
        }
        gate.f_silu().and_then(|gate| gate.f_mul(up)).op("mlp")
    }
}

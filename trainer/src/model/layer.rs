//! One block of the decoder: attention and MLP, each behind a norm and added to the residual stream.
//!
//! `x += o_proj(attention(q, k, v))`, `x += down_proj(silu(gate_proj(y)) · up_proj(y))`, with `y` the norm of x; Qwen3
//! normalises queries and keys per head before they are rotated.

use tch::Tensor;

use super::attention::Attention;
use super::few;
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
    /// all tokens, what follows attention from the rows.
    pub(super) fn forward(
        &self,
        index: usize,
        x: &Tensor,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: Option<&Tensor>,
    ) -> Result<Tensor> {
        let graph = attention.wants_gradient();
        let mut mixed = self.mix(index, x, rotation, attention)?;
        let mut x = x.shallow_clone();
        if let Some(rows) = rows {
            (x, mixed) = (x.f_index_select(0, rows).op("rows")?, mixed.f_index_select(0, rows).op("rows")?);
        }
        let [.., o_proj] = &self.attention;
        self.think(&x.f_add(&o_proj.forward(&mixed, graph)?).op("residual")?, graph)
    }

    /// Attention, before the output projection: `[T, heads · head_dim]`.
    fn mix(&self, index: usize, x: &Tensor, rotation: &Rotation, attention: &mut dyn Attention) -> Result<Tensor> {
        let [q_proj, k_proj, v_proj, _] = &self.attention;
        let graph = attention.wants_gradient();
        let y = self.input_norm.forward(x, graph)?;
        let heads = |t: Tensor| t.f_view([-1, t.size().last().copied().unwrap_or(0) / self.head_dim, self.head_dim]);
        let mut q = heads(q_proj.forward(&y, graph)?).op("heads")?;
        let mut k = heads(k_proj.forward(&y, graph)?).op("heads")?;
        let v = heads(v_proj.forward(&y, graph)?).op("heads")?;
        if let Some([q_norm, k_norm]) = &self.head_norms {
            (q, k) = (q_norm.forward(&q, graph)?, k_norm.forward(&k, graph)?);
        }
        let mixed = attention.attend(index, rotation.apply(&q, graph)?, rotation.apply(&k, graph)?, v)?;
        mixed.f_flatten(1, 2).op("heads")
    }

    /// The MLP half.
    fn think(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        let [gate, up, down] = &self.mlp;
        let y = self.post_norm.forward(x, graph)?;
        let (gate, up) = (gate.forward(&y, graph)?, up.forward(&y, graph)?);
        let fast = if graph { None } else { few::gated(&gate, &up)? };
        let inner = match fast {
            Some(inner) => inner,
            None => gate.f_silu().and_then(|gate| gate.f_mul(&up)).op("mlp")?,
        };
        x.f_add(&down.forward(&inner, graph)?).op("residual")
    }
}

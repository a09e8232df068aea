//! [`Attention`]: how the tokens of a pass see each other, and the plain causal row.

use tch::Tensor;

use crate::error::{Result, TensorResult};

/// Decides who sees whom. The decoder calls it once a layer; implementations may keep keys and values.
pub trait Attention {
    /// Attention of one layer over the tokens of this pass.
    ///
    /// `q [T, heads, head_dim]`, `k` and `v [T, kv_heads, head_dim]`, normalised and rotated, of the model's kind →
    /// `[T, heads, head_dim]`, before the output projection. The scale is `1/√head_dim`.
    ///
    /// # Errors
    /// When libtorch refuses an operation, or the implementation cannot serve these tokens.
    fn attend(&mut self, layer: usize, q: Tensor, k: Tensor, v: Tensor) -> Result<Tensor>;

    /// Whether a gradient may be asked for. Where none is, passes use loops of our own without a graph.
    fn wants_gradient(&self) -> bool {
        true
    }
}

/// One row in which every token sees itself and what came before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Causal;

impl Attention for Causal {
    fn attend(&mut self, _layer: usize, q: Tensor, k: Tensor, v: Tensor) -> Result<Tensor> {
        scaled_dot_product(&q, &k, &v, None, true)
    }
}

/// Scaled dot-product attention of one row: `q [T, heads, head_dim]`, `k` and `v [S, kv_heads, head_dim]`, `mask`
/// broadcastable to `[T, S]` (boolean: true is visible; or of the kind of `q`: added to the scores) →
/// `[T, heads, head_dim]`. Query heads share key heads in groups. `causal` needs `T == S` and no mask.
///
/// # Errors
/// When libtorch refuses the shapes.
pub fn scaled_dot_product(q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>, causal: bool) -> Result<Tensor> {
    let heads_first = |t: &Tensor| t.f_transpose(0, 1)?.f_unsqueeze(0);
    let (q, k, v) = (heads_first(q).op("attention")?, heads_first(k).op("attention")?, heads_first(v).op("attention")?);
    let grouped = q.size().get(1) != k.size().get(1);
    Tensor::f_scaled_dot_product_attention(&q, &k, &v, mask, 0.0, causal, None, grouped)
        .and_then(|out| out.f_squeeze_dim(0)?.f_transpose(0, 1))
        .op("attention")
}

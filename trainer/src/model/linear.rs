//! A linear layer, `x Wᵀ + b`, with an optional low-rank adapter beside it.

use tch::Tensor;

use super::lora::Adapter;
use super::thin;
use crate::error::{Result, TensorResult};

#[derive(Debug)]
pub(super) struct Linear {
    /// Hugging Face name without `.weight`.
    pub(super) name: String,
    /// `[out, in]`.
    pub(super) weight: Tensor,
    /// `[out]`.
    pub(super) bias: Option<Tensor>,
    pub(super) adapter: Option<Adapter>,
}

impl Linear {
    /// `x [T, in]` → `[T, out]` in the kind of `x`; with a graph if one is wanted.
    pub(super) fn forward(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        match &self.adapter {
            Some(adapter) if adapter.on => adapter.forward(x, &self.weight, self.bias.as_ref(), graph),
            _ => product(x, &self.weight, self.bias.as_ref(), graph),
        }
    }

    /// The weight with the adapter folded in, as a new tensor when there is one.
    pub(super) fn merged(&self) -> Result<Tensor> {
        let Some(adapter) = &self.adapter else { return Ok(self.weight.shallow_clone()) };
        tch::no_grad(|| adapter.folded(&self.weight)?.f_to_kind(self.weight.f_kind()?)).op("merge adapter")
    }
}

/// `x Wᵀ + b`, with a graph if one is wanted.
pub(super) fn product(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, graph: bool) -> Result<Tensor> {
    if !graph && let Some(y) = thin::linear(x, weight, bias)? {
        return Ok(y);
    }
    x.f_linear(weight, bias).op("linear")
}

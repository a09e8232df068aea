//! A linear layer, `x Wᵀ + b`, with an optional low-rank adapter beside it.

use tch::{Kind, Tensor};

use super::halves;
use super::lora::Adapter;
use super::packed::{self, Pack};
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
    /// Panels of the weight.
    pub(super) pack: Pack,
}

impl Linear {
    /// `x [T, in]` → `[T, out]` in the kind of `x`; with a graph if one is wanted.
    pub(super) fn forward(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        match &self.adapter {
            Some(adapter) if adapter.on => adapter.forward(x, &self.weight, self.bias.as_ref(), &self.pack, graph),
            _ => product(x, &self.weight, self.bias.as_ref(), &self.pack, graph),
        }
    }

    /// The weights that are multiplied with, and where their panels go.
    pub(super) fn packs(&self) -> impl Iterator<Item = (&Tensor, &Pack)> {
        std::iter::once((&self.weight, &self.pack)).chain(self.adapter.iter().flat_map(Adapter::packs))
    }

    /// The weight with the adapter folded in, as a new tensor when there is one.
    pub(super) fn merged(&self) -> Result<Tensor> {
        let Some(adapter) = &self.adapter else { return Ok(self.weight.shallow_clone()) };
        tch::no_grad(|| adapter.folded(&self.weight)?.f_to_kind(self.weight.f_kind()?)).op("merge adapter")
    }
}

/// `x Wᵀ + b`, with a graph if one is wanted; `pack` may hold the weight's panels.
pub(super) fn product(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, pack: &Pack, graph: bool) -> Result<Tensor> {
    if !graph && let Some(y) = read(x, weight, bias, pack)? {
        return Ok(y);
    }
    x.f_linear(weight, bias).op("linear")
}

/// `x Wᵀ + b` by loops of our own, where there are some for it.
pub(super) fn read(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, pack: &Pack) -> Result<Option<Tensor>> {
    match weight.kind() {
        Kind::BFloat16 => halves::linear(x, weight, bias),
        _ => packed::linear(x, weight, bias, pack),
    }
}

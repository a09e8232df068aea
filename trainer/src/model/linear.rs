//! A linear layer, `x Wᵀ + b`, with an optional low-rank adapter beside it.

use tch::{Kind, Tensor};

use super::lora::Adapter;
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
    /// `x [T, in]` → `[T, out]` in the kind of `x`.
    pub(super) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let plain = x.f_linear(&self.weight, self.bias.as_ref()).op("linear")?;
        match &self.adapter {
            Some(adapter) if adapter.on => adapter.add_to(plain, x),
            _ => Ok(plain),
        }
    }

    /// The weight with the adapter folded in, as a new tensor when there is one.
    pub(super) fn merged(&self) -> Result<Tensor> {
        let Some(adapter) = &self.adapter else { return Ok(self.weight.shallow_clone()) };
        let fold = || {
            let delta = adapter.delta()?;
            self.weight.f_to_kind(Kind::Float)?.f_add(&delta)?.f_to_kind(self.weight.f_kind()?)
        };
        tch::no_grad(fold).op("merge adapter")
    }
}

//! Low-rank adapters (LoRA, <https://arxiv.org/abs/2106.09685>): `y = x Wᵀ + (alpha / rank) · (x Aᵀ) Bᵀ` with W frozen.
//!
//! A `[rank, in]` begins uniform in ±1/√in (Kaiming with a = √5, as PEFT does), B `[out, rank]` at zero, so a new
//! adapter changes nothing. Adapters are float32 whatever the kind of the base. Not here: dropout (0 only), DoRA,
//! rank-stabilised scaling, reading and writing PEFT's adapter files.

use tch::{Device, Kind, TchError, Tensor};

use super::init::uniform_tensor;
use crate::config::LoraConfig;
use crate::error::{Result, TensorResult};

/// The adapter of one linear layer.
#[derive(Debug)]
pub(super) struct Adapter {
    /// `[rank, in]` f32, requires grad.
    pub(super) a: Tensor,
    /// `[out, rank]` f32, requires grad.
    pub(super) b: Tensor,
    scale: f64,
    /// Whether the forward pass adds it.
    pub(super) on: bool,
}

impl Adapter {
    /// A new adapter for the layer `name` of shape `[out, in]`.
    pub(super) fn new(
        name: &str,
        (out, inner): (i64, i64),
        config: &LoraConfig,
        seed: u64,
        device: Device,
    ) -> Result<Adapter> {
        let rank = config.rank as i64;
        let bound = 1.0 / (inner as f64).sqrt();
        let a = uniform_tensor(&[rank, inner], bound, seed, &format!("{name}.lora_A.weight"), device)?;
        let b = Tensor::f_zeros([out, rank], (Kind::Float, device)).op("adapter")?;
        let leaf = |t: Tensor| t.f_set_requires_grad(true).op("adapter");
        Ok(Adapter { a: leaf(a)?, b: leaf(b)?, scale: config.alpha / config.rank as f64, on: true })
    }

    /// `plain + scale · (x Aᵀ) Bᵀ`, in the kind of `plain` and in its memory.
    pub(super) fn add_to(&self, mut plain: Tensor, x: &Tensor) -> Result<Tensor> {
        let mut add = || {
            let low = x.f_to_kind(Kind::Float)?.f_linear(&self.a, None::<&Tensor>)?.f_mul_scalar(self.scale)?;
            match plain.f_kind()? {
                Kind::Float => plain.f_addmm_(&low, &self.b.f_transpose(0, 1)?),
                kind => plain.f_add_(&low.f_linear(&self.b, None::<&Tensor>)?.f_to_kind(kind)?),
            }
        };
        add().op("adapter")
    }

    /// What the adapter adds to the weight: `scale · B A`, `[out, in]` f32.
    pub(super) fn delta(&self) -> Result<Tensor, TchError> {
        self.b.f_mm(&self.a)?.f_mul_scalar(self.scale)
    }
}

//! Low-rank adapters on frozen weights W `[out, in]`:
//!
//! * LoRA (<https://arxiv.org/abs/2106.09685>): `y = x Wᵀ + s · (x Aᵀ) Bᵀ`, with `s = alpha / rank`, or `alpha / √rank`
//!   when rank-stabilised (<https://arxiv.org/abs/2312.03732>);
//! * DoRA (<https://arxiv.org/abs/2402.09353>): `y = m / ‖W + s B A‖ · (x Wᵀ + s · (x Aᵀ) Bᵀ)`, m `[out]` trained, ‖·‖ the
//!   length of each row, a constant to the gradient (section 4.3 there).
//!
//! A `[rank, in]` begins uniform in ±1/√in (Kaiming with a = √5, as PEFT does), B `[out, rank]` at zero, m at the lengths
//! of W's rows, so a new adapter changes nothing. Adapters are float32 whatever the kind of the base. Not here: dropout (0
//! only). PEFT's files are read and written in `peft.rs`.

use tch::{Device, Kind, TchError, Tensor};

use super::init::uniform_tensor;
use super::linear::product;
use super::packed::Pack;
use crate::config::LoraConfig;
use crate::error::{Result, TensorResult};

/// The adapter of one linear layer.
#[derive(Debug)]
pub(super) struct Adapter {
    /// `[rank, in]` f32, requires grad.
    pub(super) a: Tensor,
    /// `[out, rank]` f32, requires grad.
    pub(super) b: Tensor,
    /// `[out]` f32, requires grad; DoRA only.
    pub(super) magnitude: Option<Tensor>,
    scale: f64,
    /// Whether the forward pass adds it.
    pub(super) on: bool,
    /// Panels of A and B.
    packs: [Pack; 2],
}

impl Adapter {
    /// A new adapter for the layer `name` with the given weight.
    pub(super) fn new(name: &str, weight: &Tensor, config: &LoraConfig, seed: u64, device: Device) -> Result<Adapter> {
        let (out, inner) = weight.size2().op("adapter")?;
        let rank = config.rank as i64;
        let bound = 1.0 / (inner as f64).sqrt();
        let a = uniform_tensor(&[rank, inner], bound, seed, &format!("{name}.lora_A.weight"), device)?;
        let b = Tensor::f_zeros([out, rank], (Kind::Float, device)).op("adapter")?;
        let magnitude = match config.dora {
            true => Some(tch::no_grad(|| lengths(&weight.f_to_kind(Kind::Float)?)).op("adapter")?),
            false => None,
        };
        Adapter::of(a, b, magnitude, config.scale())
    }

    /// An adapter of given tensors.
    pub(super) fn of(a: Tensor, b: Tensor, magnitude: Option<Tensor>, scale: f64) -> Result<Adapter> {
        let leaf = |t: Tensor| t.f_set_requires_grad(true).op("adapter");
        Ok(Adapter {
            a: leaf(a)?,
            b: leaf(b)?,
            magnitude: magnitude.map(leaf).transpose()?,
            scale,
            on: true,
            packs: Default::default(),
        })
    }

    /// Its tensors by their names behind the layer's.
    pub(super) fn tensors(&self) -> impl Iterator<Item = (&'static str, &Tensor)> {
        let pair = [("lora_A.weight", &self.a), ("lora_B.weight", &self.b)];
        pair.into_iter().chain(self.magnitude.as_ref().map(|m| ("lora_magnitude_vector", m)))
    }

    /// A and B, and where their panels go.
    pub(super) fn packs(&self) -> impl Iterator<Item = (&Tensor, &Pack)> {
        [&self.a, &self.b].into_iter().zip(&self.packs)
    }

    /// The adapted layer, `x [T, in]` → `[T, out]` in the kind of `x`; with a graph if one is wanted. `pack` may hold the
    /// weight's panels.
    pub(super) fn forward(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        pack: &Pack,
        graph: bool,
    ) -> Result<Tensor> {
        let mut plain = product(x, weight, bias.filter(|_| self.magnitude.is_none()), pack, graph)?;
        let high = self.low_rank(x, graph)?;
        let add = |plain: &mut Tensor| plain.f_add_(&high.f_to_kind(plain.f_kind()?)?);
        let mut forward = || {
            let Some(magnitude) = &self.magnitude else { return add(&mut plain) };
            let length = tch::no_grad(|| lengths(&self.turned(weight)?))?;
            let sum = add(&mut plain.f_to_kind(Kind::Float)?)?;
            let y = sum.f_mul(&magnitude.f_div(&length)?)?.f_to_kind(x.f_kind()?)?;
            match bias {
                Some(bias) => y.f_add(bias),
                None => Ok(y),
            }
        };
        forward().op("adapter")
    }

    /// `s · (x Aᵀ) Bᵀ` in float32.
    pub(super) fn low_rank(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        let [pack_a, pack_b] = &self.packs;
        let low = product(&x.f_to_kind(Kind::Float).op("adapter")?, &self.a, None, pack_a, graph)?;
        product(&low.f_mul_scalar(self.scale).op("adapter")?, &self.b, None, pack_b, graph)
    }

    /// `W + s B A` in float32.
    fn turned(&self, weight: &Tensor) -> Result<Tensor, TchError> {
        weight.f_to_kind(Kind::Float)?.f_add(&self.b.f_mm(&self.a)?.f_mul_scalar(self.scale)?)
    }

    /// The weight with the adapter folded in, `[out, in]` f32.
    pub(super) fn folded(&self, weight: &Tensor) -> Result<Tensor, TchError> {
        let turned = self.turned(weight)?;
        match &self.magnitude {
            Some(m) => turned.f_mul(&m.f_div(&lengths(&turned)?)?.f_unsqueeze(1)?),
            None => Ok(turned),
        }
    }
}

/// Length of each row.
fn lengths(weight: &Tensor) -> Result<Tensor, TchError> {
    weight.f_norm_scalaropt_dim(2.0, [1i64].as_slice(), false)
}

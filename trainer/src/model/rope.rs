//! Rotary position embeddings (<https://arxiv.org/abs/2104.09864>) and the ways in which they are stretched.
//!
//! Dimension pair i of a head turns by `position · f_i`, with `f_i = theta^(-2i / head_dim)`, then stretched:
//!
//! * linear: `f / factor`;
//! * dynamic: not at all up to `max_position_embeddings`; longer rows, for which f would change from one token to the
//!   next, are refused;
//! * llama3: with wavelength `w = 2π / f` and old length L: `f / factor` when `w > L / low`, `f` when `w < L / high`,
//!   else `(1 - s) · f / factor + s · f` with `s = (L / w - low) / (high - low)`;
//! * yarn: `f / factor · r + f · (1 - r)`, r a ramp over dimensions from 0 to 1 between those that turn `beta_fast` and
//!   `beta_slow` times over L; cosines and sines times `attention_factor`.
//!
//! The pairs are (i, i + head_dim/2), as in `transformers`, and the arithmetic is in float32 as there: angles, cosines
//! and sines in float32, the rotation in the model's kind. Formulas: `modeling_rope_utils.py` of transformers 5.

use std::f64::consts::PI;

use tch::{Device, Kind, TchError, Tensor};

use super::between;
use super::config::{ModelConfig, RopeScaling};
use crate::error::{Error, Result, TensorResult};

/// Frequencies of one model.
#[derive(Debug)]
pub(super) struct Rope {
    /// `[head_dim / 2]` f32.
    frequencies: Tensor,
    scale: f64,
    kind: Kind,
    /// Positions from here on are refused.
    limit: Option<i64>,
}

/// Cosines and sines of one pass, `[T, 1, head_dim]` in the model's kind, so that with (a, b) a pair,
/// `(a, b) · cos + (b, a) · sin` is the turned pair: the sine is negative in the first half.
pub(crate) struct Rotation {
    cos: Tensor,
    sin: Tensor,
    half: i64,
}

impl Rope {
    pub(super) fn new(config: &ModelConfig, kind: Kind, device: Device) -> Result<Rope> {
        let (frequencies, scale) = frequencies(config);
        let frequencies = Tensor::f_from_slice(&frequencies).and_then(|t| t.f_to_device(device)).op("rope")?;
        let dynamic = matches!(config.rope_scaling, RopeScaling::Dynamic { .. });
        Ok(Rope { frequencies, scale, kind, limit: dynamic.then_some(config.max_position_embeddings) })
    }

    /// `positions [T]` i64.
    ///
    /// # Errors
    /// When a position is beyond what dynamic scaling can serve.
    pub(super) fn rotation(&self, positions: &Tensor) -> Result<Rotation> {
        if let Some(limit) = self.limit
            && positions.numel() > 0
        {
            let last = positions.f_max().and_then(|t| t.f_int64_value(&[])).op("rope")?;
            if last >= limit {
                return Err(Error::Usage(format!(
                    "a row has a token at position {last}, and dynamic rope scaling is implemented below max_position_embeddings ({limit}) only; use yarn or linear scaling, or shorter conversations"
                )));
            }
        }
        let tables = || {
            let angles = positions.f_to_kind(Kind::Float)?.f_unsqueeze(-1)?.f_mul(&self.frequencies)?;
            let (mut cos, mut sin) = (angles.f_cos()?, angles.f_sin()?);
            if self.scale != 1.0 {
                (cos, sin) = (cos.f_mul_scalar(self.scale)?, sin.f_mul_scalar(self.scale)?);
            }
            let (cos, sin) = (cos.f_to_kind(self.kind)?, sin.f_to_kind(self.kind)?);
            let both = |first: &Tensor, second: &Tensor| Tensor::f_cat(&[first, second], -1)?.f_unsqueeze(1);
            let half = self.frequencies.size1()?;
            Ok::<_, TchError>(Rotation { cos: both(&cos, &cos)?, sin: both(&sin.f_neg()?, &sin)?, half })
        };
        tables().op("rope")
    }
}

impl Rotation {
    /// The way back: the gradient of a turned vector, turned by this, is that of the vector.
    pub(super) fn back(&self) -> Result<Rotation> {
        Ok(Rotation { cos: self.cos.shallow_clone(), sin: self.sin.f_neg().op("rope")?, half: self.half })
    }

    /// `x [T, heads, head_dim]` turned by the positions of its tokens; with a graph if one is wanted.
    pub(super) fn apply(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        if !graph && let Some(y) = between::turned(x, &self.cos, &self.sin)? {
            return Ok(y);
        }
        let turn = || x.f_mul(&self.cos)?.f_add_(&x.f_roll([self.half], [-1])?.f_mul(&self.sin)?);
        turn().op("rope")
    }
}

/// Frequencies of the dimension pairs and the factor of cosines and sines.
pub(super) fn frequencies(config: &ModelConfig) -> (Vec<f32>, f64) {
    let dim = config.head_dim as f64;
    // As transformers: the exponent and the power in float32.
    let plain = (0..config.head_dim / 2).map(|i| {
        let exponent = (2 * i) as f32 / config.head_dim as f32;
        1.0 / config.rope_theta.powf(f64::from(exponent)) as f32
    });
    match &config.rope_scaling {
        RopeScaling::Default | RopeScaling::Dynamic { .. } => (plain.collect(), 1.0),
        RopeScaling::Linear { factor } => (plain.map(|f| f / *factor as f32).collect(), 1.0),
        RopeScaling::Llama3 {
            factor,
            low_freq_factor: low,
            high_freq_factor: high,
            original_max_position_embeddings: original,
        } => {
            let stretch = |f: f32| {
                let f = f64::from(f);
                let wavelength = 2.0 * PI / f;
                if wavelength > original / low {
                    (f / factor) as f32
                } else if wavelength < original / high {
                    f as f32
                } else {
                    let smooth = (original / wavelength - low) / (high - low);
                    ((1.0 - smooth) * f / factor + smooth * f) as f32
                }
            };
            (plain.map(stretch).collect(), 1.0)
        }
        RopeScaling::Yarn {
            factor,
            original_max_position_embeddings: original,
            attention_factor,
            beta_fast,
            beta_slow,
            truncate,
        } => {
            let turns = |n: &f64| dim * (original / (n * 2.0 * PI)).ln() / (2.0 * config.rope_theta.ln());
            let (mut low, mut high) = (turns(beta_fast), turns(beta_slow));
            if *truncate {
                (low, high) = (low.floor(), high.ceil());
            }
            (low, high) = (low.max(0.0), high.min(dim - 1.0));
            if low == high {
                high += 0.001;
            }
            let stretch = |(i, f): (usize, f32)| {
                let ramp = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                let f = f64::from(f);
                (f / factor * ramp + f * (1.0 - ramp)) as f32
            };
            (plain.enumerate().map(stretch).collect(), *attention_factor)
        }
    }
}

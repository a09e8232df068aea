//! Root-mean-square norm (<https://arxiv.org/abs/1910.07467>): `x / √(mean(x²) + eps) · weight` over the last dimension.
//!
//! Computed in float32 whatever the kind of `x`, rounded to the kind of `x`, then multiplied by the weight: the order
//! of `transformers`.

use tch::{Kind, Tensor};

use super::backward::{gradient, section};
use super::between;
use crate::error::{Result, TensorResult};

#[derive(Debug)]
pub(super) struct RmsNorm {
    pub(super) name: String,
    /// `[width]`.
    pub(super) weight: Tensor,
    pub(super) eps: f64,
}

impl RmsNorm {
    /// With a graph if one is wanted.
    pub(super) fn forward(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        if !graph && let Some(y) = between::norm(x, &self.weight, self.eps)? {
            return Ok(y);
        }
        let normed = || {
            let width = self.weight.size();
            if x.f_kind()? == Kind::Float {
                return x.f_rms_norm(&width, Some(&self.weight), self.eps);
            }
            let wide = x.f_to_kind(Kind::Float)?.f_rms_norm(&width, None::<&Tensor>, self.eps)?;
            wide.f_to_kind(x.f_kind()?)?.f_mul(&self.weight)
        };
        normed().op("rms_norm")
    }

    /// From the gradient of the output to that of `x`; adds that of the weight to the one it has.
    pub(super) fn backward(&self, x: &Tensor, by_y: &Tensor) -> Result<Tensor> {
        let Some([by_x, by_weight]) = between::norm_backward(x, &self.weight, self.eps, by_y)? else {
            let [by_x] = section([x], by_y, |[x]| self.forward(x, true))?;
            return Ok(by_x);
        };
        if self.weight.requires_grad() {
            let _ = gradient(&self.weight)?.f_add_(&by_weight).op("rms_norm")?;
        }
        Ok(by_x)
    }
}

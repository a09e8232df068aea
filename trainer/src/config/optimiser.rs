//! [`OptimiserSettings`]: what can be set about AdamW, with ranges checked before a run starts.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The shape after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// The peak to the end.
    Constant,
    /// A straight line to 0.
    Linear,
    /// Half a cosine to 0. The default.
    #[default]
    Cosine,
}

/// Settings of [`crate::optimiser::AdamW`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserSettings {
    /// Peak learning rate. Default 1e-4.
    pub learning_rate: f64,
    /// How the learning rate moves after the warm-up. Default cosine.
    pub schedule: Schedule,
    /// Share of the steps in which the learning rate grows from 0. Default 0.1.
    pub warmup_ratio: f64,
    /// β₁: decay of the running mean of the gradient, a step. Default 0.9.
    pub beta1: f64,
    /// β₂: decay of the running mean of the squared gradient, a step. Default 0.999.
    pub beta2: f64,
    /// ε: added to the denominator. Default 1e-8.
    pub epsilon: f64,
    /// λ: share of a weight that decays per step and unit of learning rate, on matrices only (not on norms and biases).
    /// Default 0.
    pub weight_decay: f64,
    /// Gradients are scaled down to this global L2 norm; 0 turns clipping off. Default 1.
    pub max_grad_norm: f64,
    /// Keep a float32 copy of bfloat16 parameters and step that, so that small updates are not lost in rounding.
    /// Default true.
    pub master_weights: bool,
}

impl Default for OptimiserSettings {
    fn default() -> Self {
        OptimiserSettings {
            learning_rate: 1e-4,
            schedule: Schedule::Cosine,
            warmup_ratio: 0.1,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            master_weights: true,
        }
    }
}

impl OptimiserSettings {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field, its value and its range.
    pub fn check(&self) -> Result<()> {
        if !(self.learning_rate > 0.0 && self.learning_rate < 1.0) {
            let rate = self.learning_rate;
            return Err(Error::Usage(format!("learning_rate is {rate}: expected more than 0 and less than 1")));
        }
        if !(0.0..=1.0).contains(&self.warmup_ratio) {
            return Err(Error::Usage(format!("warmup_ratio is {}: expected a share from 0 to 1", self.warmup_ratio)));
        }
        for (name, value) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::Usage(format!("{name} is {value}: expected at least 0 and less than 1")));
            }
        }
        if !(self.epsilon.is_finite() && self.epsilon > 0.0) {
            return Err(Error::Usage(format!("epsilon is {}: expected a number above 0", self.epsilon)));
        }
        for (name, value) in [("weight_decay", self.weight_decay), ("max_grad_norm", self.max_grad_norm)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Usage(format!("{name} is {value}: expected a number of at least 0")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_and_named() {
        let default = OptimiserSettings::default();
        assert!(default.check().is_ok());
        for (bad, field) in [
            (OptimiserSettings { beta1: 1.0, ..default }, "beta1"),
            (OptimiserSettings { beta2: -0.1, ..default }, "beta2"),
            (OptimiserSettings { epsilon: 0.0, ..default }, "epsilon"),
            (OptimiserSettings { weight_decay: f64::NAN, ..default }, "weight_decay"),
            (OptimiserSettings { max_grad_norm: -1.0, ..default }, "max_grad_norm"),
        ] {
            assert!(bad.check().unwrap_err().to_string().starts_with(field));
        }
    }

    #[test]
    fn unknown_fields_are_refused_and_missing_ones_are_defaults() {
        let read = |text| serde_json::from_str::<OptimiserSettings>(text);
        assert_eq!(read(r#"{"beta2": 0.99}"#).unwrap(), OptimiserSettings { beta2: 0.99, ..Default::default() });
        assert!(read(r#"{"beta3": 0.99}"#).is_err());
    }
}

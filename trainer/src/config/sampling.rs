//! [`Sampling`]: the rule by which a token is chosen, and its ranges.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How tokens are drawn. The filters act one after the other, each on what the former left: `min_p`, `top_k`, `top_p`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sampling {
    /// Logits are divided by it; 0 always takes the likeliest token (the lowest id among equals). Default 1.
    pub temperature: f64,
    /// Only the `top_k` likeliest tokens (the lowest ids among equals); 0 for all. Default 0.
    pub top_k: usize,
    /// Only the likeliest tokens that together have at least this share of what the other filters left; 1 for all.
    /// Default 1.
    pub top_p: f64,
    /// Only tokens at least this many times as likely as the likeliest; 0 for all. Default 0.
    pub min_p: f64,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0 }
    }
}

impl Sampling {
    /// Always the likeliest token.
    pub const GREEDY: Sampling = Sampling { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0 };

    /// What logits are divided by where log-probs are recomputed: the temperature, and 1 for greedy decoding.
    pub fn log_prob_temperature(&self) -> f64 {
        if self.is_greedy() { 1.0 } else { self.temperature }
    }

    /// Whether no random number is needed.
    pub fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field, its value and its range.
    pub fn check(&self) -> Result<()> {
        let Sampling { temperature, top_p, min_p, .. } = *self;
        // Below 0.01 the division would only blow up rounding errors; 0 is what is meant then.
        if !(temperature == 0.0 || (0.01..=100.0).contains(&temperature)) {
            return Err(Error::Usage(format!("temperature is {temperature}: expected 0 (greedy) or 0.01 to 100")));
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::Usage(format!("top_p is {top_p}: expected more than 0 and at most 1 (1 is off)")));
        }
        if !(0.0..=1.0).contains(&min_p) {
            return Err(Error::Usage(format!("min_p is {min_p}: expected 0 to 1 (0 is off)")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_checked_and_named() {
        let d = Sampling::default();
        assert!(d.check().is_ok() && Sampling::GREEDY.check().is_ok());
        for (bad, field) in [
            (Sampling { temperature: -1.0, ..d }, "temperature"),
            (Sampling { temperature: f64::NAN, ..d }, "temperature"),
            (Sampling { top_p: 0.0, ..d }, "top_p"),
            (Sampling { top_p: 1.1, ..d }, "top_p"),
            (Sampling { min_p: -0.1, ..d }, "min_p"),
        ] {
            assert!(bad.check().unwrap_err().to_string().starts_with(field));
        }
        assert!(serde_json::from_str::<Sampling>(r#"{"top_q": 1}"#).is_err());
    }
}

//! Settings of low-rank adapters.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Projections of a decoder layer that can have an adapter.
const PROJECTIONS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

/// Which projections get an adapter, and how large.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank of the update. Default 16.
    pub rank: usize,
    /// The update is multiplied by `alpha / rank`. Default 32.
    pub alpha: f64,
    /// Probability of dropping an input of the adapter. Only 0, the default, is supported.
    pub dropout: f64,
    /// Names of projections. Default: all of `q_proj`, `k_proj`, `v_proj`, `o_proj`, `gate_proj`, `up_proj`,
    /// `down_proj`.
    pub targets: Vec<String>,
}

impl Default for LoraConfig {
    fn default() -> Self {
        let targets = PROJECTIONS.map(String::from).to_vec();
        LoraConfig { rank: 16, alpha: 32.0, dropout: 0.0, targets }
    }
}

impl LoraConfig {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// [`Error::Usage`], naming the field.
    pub fn check(&self) -> Result<()> {
        let known = PROJECTIONS;
        if self.rank == 0 {
            return Err(Error::Usage("lora.rank is 0; expected at least 1".into()));
        }
        if !self.alpha.is_finite() {
            return Err(Error::Usage(format!("lora.alpha is {}; expected a finite number", self.alpha)));
        }
        if self.dropout != 0.0 {
            return Err(Error::Usage(format!("lora.dropout is {}; only 0 is supported", self.dropout)));
        }
        if self.targets.is_empty() {
            return Err(Error::Usage(format!("lora.targets is empty; expected some of {}", known.join(", "))));
        }
        match self.targets.iter().find(|t| !known.contains(&t.as_str())) {
            Some(unknown) => Err(Error::Usage(format!("lora.targets: {unknown:?} is not one of {}", known.join(", ")))),
            None => Ok(()),
        }
    }
}

//! Settings of low-rank adapters.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// Projections of a decoder layer that can have an adapter.
pub(crate) const PROJECTIONS: [&str; 7] = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];

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
    /// Rank-stabilised: multiply by `alpha / √rank` instead (<https://arxiv.org/abs/2312.03732>). Default false.
    pub rank_stabilised: bool,
    /// DoRA: the length of each row of the weight is a parameter of its own, and the update turns the row
    /// (<https://arxiv.org/abs/2402.09353>). Slower, as the rows' lengths are computed in each pass. Default false.
    pub dora: bool,
}

impl Default for LoraConfig {
    fn default() -> Self {
        let targets = PROJECTIONS.map(String::from).to_vec();
        LoraConfig { rank: 16, alpha: 32.0, dropout: 0.0, targets, rank_stabilised: false, dora: false }
    }
}

impl LoraConfig {
    /// What the update is multiplied by.
    pub fn scale(&self) -> f64 {
        let rank = self.rank as f64;
        self.alpha / if self.rank_stabilised { rank.sqrt() } else { rank }
    }

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

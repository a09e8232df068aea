//! Settings of the stage DPO: pairs, and the shape of the loss over them.

use super::OptimiserSettings;
use serde::{Deserialize, Serialize};

/// Offline preference training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoSettings {
    /// Passes over the pairs.
    pub epochs: usize,
    /// Pairs a step, rounded up to whole trajectories.
    pub batch_pairs: usize,
    /// How the rejected submission is chosen.
    pub pairs: PairStrategy,
    /// At most this many pairs a trajectory; 0 for all.
    pub max_pairs_per_trajectory: usize,
    /// The shape of the loss: `sigmoid` (DPO's own), `robust`, `hinge`, `ipo`, `length_normalised`, `kto` or `simpo`.
    pub loss: PairLoss,
    /// Strength of the pull towards the reference model.
    pub beta: f64,
    /// Assumed share of preferences that are the wrong way round, in 0..0.5; of the losses that have such a term.
    pub label_smoothing: f64,
    /// The margin that `loss: simpo` asks for.
    pub gamma: f64,
    /// Weight of the SFT loss on the tokens of the chosen submissions, divided by their number in the step; 0 for none.
    pub sft_weight: f64,
    /// Learning rate, schedule, clipping.
    pub optimiser: OptimiserSettings,
    /// Steps between two evaluations on held-out pairs; 0 for the end only.
    pub eval_every: usize,
}

impl Default for DpoSettings {
    fn default() -> Self {
        DpoSettings {
            epochs: 1,
            batch_pairs: 16,
            pairs: PairStrategy::Grade,
            max_pairs_per_trajectory: 0,
            loss: PairLoss::Sigmoid,
            beta: 0.5,
            label_smoothing: 0.0,
            gamma: 0.5,
            sft_weight: 0.0,
            optimiser: OptimiserSettings { learning_rate: 1e-5, ..OptimiserSettings::default() },
            eval_every: 10,
        }
    }
}

/// Shapes of a loss over preference pairs; `objective/dpo.rs` has the formulas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairLoss {
    /// DPO's own: the logistic loss of the margin.
    #[default]
    Sigmoid,
    /// The same, without the bias that preferences the wrong way round bring; their share is `label_smoothing`.
    Robust,
    /// The margin falls short of 1 by so much.
    Hinge,
    /// The square of how far the margin, by token, is from 1/(2β).
    Ipo,
    /// `sigmoid` of the margin by token.
    LengthNormalised,
    /// Each answer by itself: the chosen one up, the rejected one down, both saturating.
    Kto,
    /// `sigmoid` of the margin by token without a reference, less `gamma`.
    Simpo,
}

impl PairLoss {
    /// All of them.
    pub const ALL: [PairLoss; 7] = [
        PairLoss::Sigmoid,
        PairLoss::Robust,
        PairLoss::Hinge,
        PairLoss::Ipo,
        PairLoss::LengthNormalised,
        PairLoss::Kto,
        PairLoss::Simpo,
    ];

    /// Its name in a configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            PairLoss::Sigmoid => "sigmoid",
            PairLoss::Robust => "robust",
            PairLoss::Hinge => "hinge",
            PairLoss::Ipo => "ipo",
            PairLoss::LengthNormalised => "length_normalised",
            PairLoss::Kto => "kto",
            PairLoss::Simpo => "simpo",
        }
    }

    /// Whether `label_smoothing` means something to it.
    pub fn smooths_labels(self) -> bool {
        !matches!(self, PairLoss::Hinge | PairLoss::Ipo | PairLoss::Kto)
    }

    /// Whether an answer's log-prob is divided by its number of tokens.
    pub fn by_token(self) -> bool {
        matches!(self, PairLoss::Ipo | PairLoss::LengthNormalised | PairLoss::Simpo)
    }

    /// Whether the reference model's log-probs are part of it.
    pub fn has_reference(self) -> bool {
        self != PairLoss::Simpo
    }
}

/// How the rejected submission of a pair is chosen; the chosen one is what the student did next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairStrategy {
    /// The submission two steps later.
    Next,
    /// A later submission, at least three steps on, drawn uniformly.
    Random,
    /// The first later submission with another grade.
    Grade,
}

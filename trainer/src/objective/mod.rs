//! The losses of the three stages as pure functions of log-probs, in f64, without tensors.
//!
//! A forward pass gives the log-prob of each target token; an objective turns them into a loss and into the derivative
//! of that loss by each log-prob; the backward pass carries the derivative into the weights. Each objective is one
//! file:
//!
//! | file | stage | loss |
//! |---|---|---|
//! | [`sft`] | supervised fine-tuning | mean negative log-prob of the target tokens |
//! | [`dpo`] | preferences | direct preference optimisation and its relatives |
//! | [`dapo`] | reinforcement | token-level policy gradient with a decoupled clip |
//!
//! **One normaliser.** Every loss is a sum divided by a count that the *caller* gives: the target tokens (SFT, DAPO) or
//! pairs (DPO) of the whole optimiser step, over all packs and processes. So the losses and gradients of the parts of a
//! batch add up to those of the batch, however it was cut: nothing here looks at how many samples happen to share a
//! pass.
//!
//! What is not here: rewards and their shaping (crate `novice-rewards`), and which tokens are targets (`tokens`).

mod advantage;
mod dapo;
mod dpo;
mod metrics;
mod sft;
#[cfg(test)]
mod through_a_forest;

pub use advantage::{group_advantages, is_informative, overlong, turn_advantages};
pub use dapo::{Advantage, PolicyLoss, Sample, dapo, normalisers};
pub use dpo::{Answer, DpoLoss, Pair, PairGrad, PairObjective, dpo};
pub use metrics::{Metric, Metrics};
pub use sft::{sft, sft_weights};

use crate::error::{Error, Result};

/// A loss, its derivative by each log-prob, and what is worth logging about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Objective {
    /// The loss of these targets: their part of the step's loss.
    pub loss: f64,
    /// dLoss/dlog-prob, in the shape of the log-probs that were given.
    pub grad: Vec<Vec<f32>>,
    /// Sums, counts and maxima of these targets; [`Metrics::merge`] joins those of several passes.
    pub metrics: Metrics,
}

/// The sum of the log-probs of a run of tokens, in f64: the log-prob of the whole run.
pub fn total(log_probs: &[f32]) -> f64 {
    log_probs.iter().map(|&p| f64::from(p)).sum()
}

/// Refuses a normaliser that would turn a loss into NaN or infinity.
fn check_normaliser(normaliser: f64, of: &str) -> Result<()> {
    if normaliser.is_finite() && normaliser > 0.0 {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "the loss is divided by the number of {of} of the step, which is {normaliser}; a step needs at least one"
    )))
}

/// Central finite differences, against which the tests hold every closed-form derivative.
#[cfg(test)]
fn central_difference(at: &[f64], index: usize, loss: impl Fn(&[f64]) -> f64) -> f64 {
    let step = 1e-5;
    let mut x = at.to_vec();
    x[index] = at[index] + step;
    let up = loss(&x);
    x[index] = at[index] - step;
    (up - loss(&x)) / (2.0 * step)
}

//! Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, eq. 7).
//!
//! With `δ = [log π(c) − log π_ref(c)] − [log π(r) − log π_ref(r)]` of the chosen answer c and the rejected answer r,
//! each the sum of the log-probs of the answer's tokens:
//!
//! ```text
//! L  = −(1/N) Σ_pairs  (1−ε)·log σ(βδ) + ε·log σ(−βδ)
//! dL/dδ = −(β/N) [ (1−ε)·σ(−βδ) − ε·σ(βδ) ]        dL/dlog π(c) = dL/dδ,   dL/dlog π(r) = −dL/dδ
//! ```
//!
//! `ε` is the probability that a preference is the wrong way round (conservative DPO, Mitchell 2023); 0 gives the
//! paper's loss. N is the number of pairs of the whole step.
//!
//! The reference's log-probs are constants here: computed once, before training, by the policy that DPO starts from.

use super::{Metrics, check_normaliser};
use crate::error::{Error, Result};

/// What can be set about the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpoLoss {
    /// β: how strongly a difference to the reference counts; larger keeps the policy closer to it. Default 0.1 (the
    /// paper's).
    pub beta: f64,
    /// ε: assumed share of preferences that are the wrong way round, in 0..0.5. Default 0.
    pub label_smoothing: f64,
}

impl Default for DpoLoss {
    fn default() -> Self {
        DpoLoss { beta: 0.1, label_smoothing: 0.0 }
    }
}

impl DpoLoss {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field, its value and its range.
    pub fn check(&self) -> Result<()> {
        if !(self.beta.is_finite() && self.beta > 0.0) {
            return Err(Error::Usage(format!("beta is {}: expected a number above 0", self.beta)));
        }
        if !(0.0..0.5).contains(&self.label_smoothing) {
            let value = self.label_smoothing;
            return Err(Error::Usage(format!("label_smoothing is {value}: expected at least 0 and less than 0.5")));
        }
        Ok(())
    }
}

/// Log-probs of the two answers of a pair under the policy and under the reference: sums over the answer's tokens,
/// nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairLogProbs {
    /// log π(chosen).
    pub chosen: f64,
    /// log π(rejected).
    pub rejected: f64,
    /// log π_ref(chosen).
    pub ref_chosen: f64,
    /// log π_ref(rejected).
    pub ref_rejected: f64,
}

/// dLoss/dlog-prob of the two answers of a pair. A sum passes its derivative on unchanged: it is that of every token of
/// the answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairGrad {
    /// dLoss/dlog π(chosen).
    pub chosen: f64,
    /// dLoss/dlog π(rejected).
    pub rejected: f64,
}

/// A loss over pairs, in the manner of [`super::Objective`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PairObjective {
    /// The loss of these pairs: their part of the step's loss.
    pub loss: f64,
    /// One entry a pair, in the order given.
    pub grad: Vec<PairGrad>,
    /// `margin` (β·δ), `accuracy` (share with β·δ > 0), `chosen_reward`, `rejected_reward`, `chosen_log_prob`,
    /// `rejected_log_prob`: means over pairs.
    pub metrics: Metrics,
}

/// The reward that a policy implies for an answer: β (log π − log π_ref).
pub fn implicit_reward(beta: f64, log_prob: f64, reference: f64) -> f64 {
    beta * (log_prob - reference)
}

/// The loss of `pairs`, its derivatives, and its metrics. `normaliser`: pairs of the whole step.
///
/// # Errors
/// When `normaliser` is not a positive number or a setting is out of range.
pub fn dpo(pairs: &[PairLogProbs], settings: &DpoLoss, normaliser: f64) -> Result<PairObjective> {
    check_normaliser(normaliser, "pairs")?;
    settings.check()?;
    let DpoLoss { beta, label_smoothing: flip } = *settings;
    let mut objective = PairObjective::default();
    for pair in pairs {
        let chosen = implicit_reward(beta, pair.chosen, pair.ref_chosen);
        let rejected = implicit_reward(beta, pair.rejected, pair.ref_rejected);
        let margin = chosen - rejected;
        objective.loss -= ((1.0 - flip) * log_sigmoid(margin) + flip * log_sigmoid(-margin)) / normaliser;
        let slope = -beta * ((1.0 - flip) * sigmoid(-margin) - flip * sigmoid(margin)) / normaliser;
        objective.grad.push(PairGrad { chosen: slope, rejected: -slope });
        let m = &mut objective.metrics;
        m.mean("margin", margin, 1.0);
        m.mean("accuracy", f64::from(u8::from(margin > 0.0)), 1.0);
        m.mean("chosen_reward", chosen, 1.0);
        m.mean("rejected_reward", rejected, 1.0);
        m.mean("chosen_log_prob", pair.chosen, 1.0);
        m.mean("rejected_log_prob", pair.rejected, 1.0);
    }
    Ok(objective)
}

/// log σ(x) without overflow: `min(x, 0) − ln(1 + e^−|x|)`.
fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

fn sigmoid(x: f64) -> f64 {
    log_sigmoid(x).exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::central_difference;
    use super::*;

    fn pair(x: &[f64]) -> PairLogProbs {
        PairLogProbs { chosen: x[0], rejected: x[1], ref_chosen: -3.0, ref_rejected: -5.0 }
    }

    #[test]
    fn hand_computed() {
        // δ = (−2 + 3) − (−6 + 5) = 2, β = 0.5: margin 1, loss ln(1 + e^−1).
        let settings = DpoLoss { beta: 0.5, label_smoothing: 0.0 };
        let o = dpo(&[pair(&[-2.0, -6.0])], &settings, 1.0).unwrap();
        assert!((o.loss - 0.313_261_687_518_222_8).abs() < 1e-15);
        assert!((o.grad[0].chosen + 0.5 * 0.268_941_421_369_995_1).abs() < 1e-15);
        assert_eq!(o.grad[0].rejected, -o.grad[0].chosen);
        assert_eq!(o.metrics.get("margin"), Some(1.0));
        assert_eq!(o.metrics.get("chosen_reward"), Some(0.5));
        assert_eq!(o.metrics.get("rejected_reward"), Some(-0.5));
        assert_eq!(o.metrics.get("accuracy"), Some(1.0));
    }

    #[test]
    fn at_the_reference_the_loss_is_ln_2_and_no_pair_is_won() {
        let o = dpo(&[pair(&[-3.0, -5.0]); 3], &DpoLoss::default(), 3.0).unwrap();
        assert!((o.loss - std::f64::consts::LN_2).abs() < 1e-15);
        assert_eq!(o.metrics.get("accuracy"), Some(0.0));
    }

    #[test]
    fn huge_margins_stay_finite() {
        for (x, loss) in [([1e6, -1e6], 0.0), ([-1e6, 1e6], 2e6 * 0.1)] {
            let o = dpo(&[pair(&x)], &DpoLoss::default(), 1.0).unwrap();
            assert!((o.loss - loss).abs() < 1.0 && o.loss.is_finite() && o.grad[0].chosen.is_finite());
        }
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for (beta, label_smoothing) in [(0.0, 0.0), (f64::NAN, 0.0), (0.1, 0.5), (0.1, -0.1)] {
            assert!(dpo(&[], &DpoLoss { beta, label_smoothing }, 1.0).is_err());
        }
        assert!(dpo(&[], &DpoLoss::default(), 0.0).is_err());
    }

    proptest! {
        #[test]
        fn gradients_equal_finite_differences(
            x in prop::array::uniform2(-20.0f64..0.0), beta in 0.01f64..2.0, label_smoothing in 0.0f64..0.49, n in 1.0f64..9.0,
        ) {
            let settings = DpoLoss { beta, label_smoothing };
            let loss = |x: &[f64]| dpo(&[pair(x)], &settings, n).unwrap().loss;
            let grad = dpo(&[pair(&x)], &settings, n).unwrap().grad[0];
            prop_assert!((grad.chosen - central_difference(&x, 0, loss)).abs() < 1e-7);
            prop_assert!((grad.rejected - central_difference(&x, 1, loss)).abs() < 1e-7);
        }

        #[test]
        fn parts_add_up_to_the_batch(xs in prop::collection::vec(prop::array::uniform2(-9.0f64..0.0), 2..9), cut in 0usize..9) {
            let pairs: Vec<_> = xs.iter().map(|x| pair(x)).collect();
            let (n, cut) = (pairs.len() as f64, cut.min(pairs.len()));
            let settings = DpoLoss::default();
            let whole = dpo(&pairs, &settings, n).unwrap();
            let (a, b) = (dpo(&pairs[..cut], &settings, n).unwrap(), dpo(&pairs[cut..], &settings, n).unwrap());
            prop_assert!((a.loss + b.loss - whole.loss).abs() < 1e-12);
            prop_assert_eq!([a.grad, b.grad].concat(), whole.grad);
        }
    }
}

//! Preference losses over pairs of answers: direct preference optimisation and its relatives, as pure functions.
//!
//! Of a chosen answer c and a rejected answer r let `s_c = log π(c) − log π_ref(c)`, `s_r` likewise, each a sum over the
//! answer's tokens; `s̄` the same divided by the answer's number of tokens; `m̄` the mean log-prob of its tokens under π
//! alone; δ the difference of the two, `log σ` the logarithm of the logistic function. The loss of a pair:
//!
//! | [`PairLoss`] | loss | source |
//! |---|---|---|
//! | `sigmoid` | `−(1−ε)·log σ(βδ) − ε·log σ(−βδ)` | Rafailov et al. 2023, arXiv 2305.18290, eq. 7; ε: conservative DPO, Mitchell 2023 |
//! | `robust` | `[−(1−ε)·log σ(βδ) + ε·log σ(−βδ)] / (1 − 2ε)` | Chowdhury et al. 2024, arXiv 2403.00409 |
//! | `hinge` | `max(0, 1 − βδ)` | Zhao et al. 2023 (SLiC), arXiv 2305.10425 |
//! | `ipo` | `(δ̄ − 1/(2β))²` | Azar et al. 2023, arXiv 2310.12036, eq. 17, by token |
//! | `length_normalised` | as `sigmoid`, of δ̄ | TRL's `sigmoid_norm` |
//! | `kto` | `1 − σ(βs_c) + σ(βs_r)` | Ethayarajh et al. 2024, arXiv 2402.01306, with the reference point at 0: TRL's `apo_zero` |
//! | `simpo` | `−log σ(β(m̄_c − m̄_r) − γ)`, with ε as in `sigmoid` | Meng et al. 2024, arXiv 2405.14734 |
//!
//! `ε` is the assumed share of preferences that are the wrong way round. The loss of a step is the sum over its pairs
//! divided by their number N. The derivative by s_c or s_r, over the answer's length where the mean was taken, is that of
//! the log-prob of every token of the answer.
//!
//! The reference's log-probs are constants here: computed once, before training, by the policy that DPO starts from.
//! `tests/peers/objectives` prints what TRL's own code gives for the numbers in `golden.json`.

use super::{Metrics, check_normaliser};
use crate::config::PairLoss;
use crate::error::{Error, Result};

/// What can be set about the loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DpoLoss {
    /// Its shape.
    pub kind: PairLoss,
    /// β: how strongly a difference to the reference counts; larger keeps the policy closer to it. Default 0.1 (the
    /// paper's).
    pub beta: f64,
    /// ε: assumed share of preferences that are the wrong way round, in 0..0.5. Default 0.
    pub label_smoothing: f64,
    /// γ: the margin that `simpo` asks for. Default 0.5.
    pub gamma: f64,
}

impl Default for DpoLoss {
    fn default() -> Self {
        DpoLoss { kind: PairLoss::Sigmoid, beta: 0.1, label_smoothing: 0.0, gamma: 0.5 }
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
        if self.label_smoothing != 0.0 && !self.kind.smooths_labels() {
            let kind = self.kind.as_str();
            return Err(Error::Usage(format!("label_smoothing is not 0, and the loss {kind} has no such term")));
        }
        if !self.gamma.is_finite() {
            return Err(Error::Usage(format!("gamma is {}: expected a number", self.gamma)));
        }
        Ok(())
    }

    /// What an answer's log-prob counts: against the reference, by token or not.
    fn score(&self, answer: &Answer) -> f64 {
        let difference = match self.kind {
            PairLoss::Simpo => answer.log_prob,
            _ => answer.log_prob - answer.reference,
        };
        difference / self.length(answer)
    }

    /// What the log-prob of an answer is divided by.
    fn length(&self, answer: &Answer) -> f64 {
        if self.kind.by_token() { answer.tokens.max(1) as f64 } else { 1.0 }
    }

    /// The loss of one pair and its derivative by the two scores.
    fn of(&self, chosen: f64, rejected: f64) -> (f64, f64, f64) {
        let (beta, flip) = (self.beta, self.label_smoothing);
        let delta = chosen - rejected;
        let smooth = |x: f64| -((1.0 - flip) * log_sigmoid(x) + flip * log_sigmoid(-x));
        let slope = |x: f64| -beta * ((1.0 - flip) * sigmoid(-x) - flip * sigmoid(x));
        let (loss, by_delta) = match self.kind {
            PairLoss::Sigmoid | PairLoss::LengthNormalised => (smooth(beta * delta), slope(beta * delta)),
            PairLoss::Simpo => (smooth(beta * delta - self.gamma), slope(beta * delta - self.gamma)),
            PairLoss::Robust => {
                let (x, share) = (beta * delta, 1.0 - 2.0 * flip);
                let loss = -((1.0 - flip) * log_sigmoid(x) - flip * log_sigmoid(-x));
                let slope = -beta * ((1.0 - flip) * sigmoid(-x) + flip * sigmoid(x));
                (loss / share, slope / share)
            }
            PairLoss::Hinge => {
                let short = 1.0 - beta * delta;
                (short.max(0.0), if short > 0.0 { -beta } else { 0.0 })
            }
            PairLoss::Ipo => {
                let away = delta - 0.5 / beta;
                (away * away, 2.0 * away)
            }
            PairLoss::Kto => {
                let (up, down) = (beta * chosen, beta * rejected);
                let bell = |x: f64| beta * sigmoid(x) * sigmoid(-x);
                return (sigmoid(-up) + sigmoid(down), -bell(up), bell(down));
            }
        };
        (loss, by_delta, -by_delta)
    }
}

/// One answer of a pair: its log-prob under the policy and under the reference, sums over its tokens, nats.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// log π.
    pub log_prob: f64,
    /// log π_ref.
    pub reference: f64,
    /// How many tokens were summed.
    pub tokens: usize,
}

/// The two answers of a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// The one that is preferred.
    pub chosen: Answer,
    /// The other.
    pub rejected: Answer,
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
    /// `margin` (β·δ), `accuracy` (share with β·δ > 0), `chosen_reward`, `rejected_reward` (β times the score that the
    /// loss sees), `chosen_log_prob`, `rejected_log_prob` (sums): means over pairs.
    pub metrics: Metrics,
}

/// The loss of `pairs`, its derivatives, and its metrics. `normaliser`: pairs of the whole step.
///
/// # Errors
/// When `normaliser` is not a positive number or a setting is out of range.
pub fn dpo(pairs: &[Pair], settings: &DpoLoss, normaliser: f64) -> Result<PairObjective> {
    check_normaliser(normaliser, "pairs")?;
    settings.check()?;
    let mut objective = PairObjective::default();
    for Pair { chosen, rejected } in pairs {
        let (up, down) = (settings.score(chosen), settings.score(rejected));
        let (loss, by_chosen, by_rejected) = settings.of(up, down);
        objective.loss += loss / normaliser;
        objective.grad.push(PairGrad {
            chosen: by_chosen / settings.length(chosen) / normaliser,
            rejected: by_rejected / settings.length(rejected) / normaliser,
        });
        let (up, down) = (settings.beta * up, settings.beta * down);
        let m = &mut objective.metrics;
        m.mean("margin", up - down, 1.0);
        m.mean("accuracy", f64::from(u8::from(up > down)), 1.0);
        m.mean("chosen_reward", up, 1.0);
        m.mean("rejected_reward", down, 1.0);
        m.mean("chosen_log_prob", chosen.log_prob, 1.0);
        m.mean("rejected_log_prob", rejected.log_prob, 1.0);
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
    use serde_json::Value;

    use super::super::central_difference;
    use super::*;

    fn pair(x: &[f64]) -> Pair {
        let answer = |log_prob, reference, tokens| Answer { log_prob, reference, tokens };
        Pair { chosen: answer(x[0], -3.0, 4), rejected: answer(x[1], -5.0, 7) }
    }

    #[test]
    fn hand_computed() {
        // δ = (−2 + 3) − (−6 + 5) = 2, β = 0.5: margin 1, loss ln(1 + e^−1).
        let settings = DpoLoss { beta: 0.5, ..DpoLoss::default() };
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

    /// TRL's own code on the same log-probs: losses and, by autograd, the derivative of each token's log-prob.
    #[test]
    fn equals_trl() {
        let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
        let sum = |v: &Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).sum::<f64>();
        let answer = |v: &Value| Answer {
            log_prob: sum(&v["log_probs"]),
            reference: v["reference"].as_f64().unwrap(),
            tokens: v["log_probs"].as_array().unwrap().len(),
        };
        let pairs = golden["pairs"].as_array().unwrap();
        let pairs: Vec<Pair> =
            pairs.iter().map(|p| Pair { chosen: answer(&p["chosen"]), rejected: answer(&p["rejected"]) }).collect();
        let cases = golden["cases"].as_array().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for case in cases {
            let number = |key: &str| case[key].as_f64().unwrap();
            let kind: PairLoss = serde_json::from_value(case["loss"].clone()).unwrap();
            seen.insert(kind.as_str());
            let (beta, label_smoothing, gamma) = (number("beta"), number("label_smoothing"), number("gamma"));
            let settings = DpoLoss { kind, beta, label_smoothing, gamma };
            let o = dpo(&pairs, &settings, pairs.len() as f64).unwrap();
            assert!((o.loss - number("value")).abs() < 1e-9, "{}: {} is not {}", case["loss"], o.loss, case["value"]);
            for (have, want) in o.grad.iter().zip(case["grad"].as_array().unwrap()) {
                let close = |have: f64, want: &Value| (have - want.as_f64().unwrap()).abs() < 1e-9;
                assert!(
                    close(have.chosen, &want[0]) && close(have.rejected, &want[1]),
                    "{}: {have:?} is not {want}",
                    case["loss"]
                );
            }
        }
        assert_eq!(seen.len(), PairLoss::ALL.len());
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        let base = DpoLoss::default();
        for bad in [
            DpoLoss { beta: 0.0, ..base },
            DpoLoss { beta: f64::NAN, ..base },
            DpoLoss { label_smoothing: 0.5, ..base },
            DpoLoss { label_smoothing: -0.1, ..base },
            DpoLoss { kind: PairLoss::Ipo, label_smoothing: 0.1, ..base },
            DpoLoss { gamma: f64::INFINITY, ..base },
        ] {
            assert!(dpo(&[], &bad, 1.0).is_err());
        }
        assert!(dpo(&[], &base, 0.0).is_err());
    }

    fn settings() -> impl Strategy<Value = DpoLoss> {
        (prop::sample::select(PairLoss::ALL.to_vec()), 0.01f64..2.0, 0.0f64..0.49, -1.0f64..1.0).prop_map(
            |(kind, beta, flip, gamma)| {
                let label_smoothing = if kind.smooths_labels() { flip } else { 0.0 };
                DpoLoss { kind, beta, label_smoothing, gamma }
            },
        )
    }

    proptest! {
        #[test]
        fn gradients_equal_finite_differences(
            x in prop::array::uniform2(-20.0f64..0.0), settings in settings(), n in 1.0f64..9.0,
        ) {
            let loss = |x: &[f64]| dpo(&[pair(x)], &settings, n).unwrap().loss;
            let o = dpo(&[pair(&x)], &settings, n).unwrap();
            // The kink of the hinge has no derivative.
            prop_assume!(settings.kind != PairLoss::Hinge || (o.metrics.get("margin").unwrap() - 1.0).abs() > 1e-3);
            let scale = 1.0 + o.loss.abs();
            prop_assert!((o.grad[0].chosen - central_difference(&x, 0, loss)).abs() < 1e-7 * scale);
            prop_assert!((o.grad[0].rejected - central_difference(&x, 1, loss)).abs() < 1e-7 * scale);
        }

        #[test]
        fn parts_add_up_to_the_batch(
            xs in prop::collection::vec(prop::array::uniform2(-9.0f64..0.0), 2..9), cut in 0usize..9, settings in settings(),
        ) {
            let pairs: Vec<_> = xs.iter().map(|x| pair(x)).collect();
            let (n, cut) = (pairs.len() as f64, cut.min(pairs.len()));
            let whole = dpo(&pairs, &settings, n).unwrap();
            let (a, b) = (dpo(&pairs[..cut], &settings, n).unwrap(), dpo(&pairs[cut..], &settings, n).unwrap());
            prop_assert!((a.loss + b.loss - whole.loss).abs() < 1e-9 * (1.0 + whole.loss.abs()));
            prop_assert_eq!([a.grad, b.grad].concat(), whole.grad);
        }
    }
}

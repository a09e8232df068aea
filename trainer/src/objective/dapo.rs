//! DAPO's policy loss (Yu et al. 2025, arXiv 2503.14476, eqs. 8 and 12): clip higher, and every token weighs the same.
//!
//! With `ρ = exp(log π(token) − log π_old(token))`, π_old the policy that drew the token, and A its advantage:
//!
//! ```text
//! L = −(1/N) Σ_tokens min( ρ·A, clip(ρ, 1 − ε_low, 1 + ε_high)·A )
//! dL/dlog π(token) = −ρ·A/N,   or 0 where the clip holds: A > 0 and ρ > 1 + ε_high, or A < 0 and ρ < 1 − ε_low
//! ```
//!
//! N is one count for the whole step: the drawn tokens of all samples that are trained on, whatever pass they are in.
//! There is no penalty for leaving a reference (β = 0, as in the paper). Samples that are to be left out (truncated
//! ones, say) are left out by the caller, of the samples and of N.

use super::{Metrics, Objective, check_normaliser};
use crate::error::{Error, Result};

/// How far a token's probability may move before its gradient is cut off.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Clip {
    /// ε_low: the ratio of new to old probability is clipped below 1 − `clip_low`. Default 0.2.
    pub clip_low: f64,
    /// ε_high: the ratio is clipped above 1 + `clip_high`. Default 0.28, larger than below so that rare tokens can
    /// grow.
    pub clip_high: f64,
}

impl Default for Clip {
    fn default() -> Self {
        Clip { clip_low: 0.2, clip_high: 0.28 }
    }
}

impl Clip {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field, its value and its range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.clip_low) {
            return Err(Error::Usage(format!("clip_low is {}: expected 0 to 1", self.clip_low)));
        }
        if !(self.clip_high.is_finite() && self.clip_high >= 0.0) {
            return Err(Error::Usage(format!("clip_high is {}: expected a number of at least 0", self.clip_high)));
        }
        Ok(())
    }
}

/// The advantage of the tokens of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Advantage<'a> {
    /// One for all of them.
    Sample(f64),
    /// One for each: turns may be credited differently.
    Tokens(&'a [f64]),
}

/// The drawn tokens of one rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// Log-probs under the policy that is being trained.
    pub new: &'a [f32],
    /// Log-probs recorded when the tokens were drawn; as long as `new`.
    pub old: &'a [f32],
    /// What the tokens were worth.
    pub advantage: Advantage<'a>,
}

/// The loss of `samples`, its derivative by each of their `new` log-probs, and its metrics. `normaliser`: drawn tokens
/// of the whole step.
///
/// Metrics, over tokens: `ratio` (mean ρ), `ratio_max`, `clipped_low` and `clipped_high` (shares of tokens without
/// gradient for the one or the other reason), `kl` (ρ − 1 − log ρ: the low-variance, never negative estimate, from
/// tokens that π_old drew, of KL(π_old ‖ π), called k3 by Schulman, 2020), and `log_prob_gap` (largest
/// |log π − log π_old|: on the first update after sampling it shows how well sampling and training agree).
///
/// # Errors
/// When `normaliser` is not a positive number, a setting is out of range, or the lengths within a sample differ.
pub fn dapo(samples: &[Sample<'_>], clip: &Clip, normaliser: f64) -> Result<Objective> {
    check_normaliser(normaliser, "drawn tokens")?;
    clip.check()?;
    let (low, high) = (1.0 - clip.clip_low, 1.0 + clip.clip_high);
    let mut objective = Objective::default();
    let mut seen = Tally::default();
    for (index, sample) in samples.iter().enumerate() {
        let n = sample.new.len();
        let advantages = match sample.advantage {
            Advantage::Sample(_) => n,
            Advantage::Tokens(each) => each.len(),
        };
        if sample.old.len() != n || advantages != n {
            let old = sample.old.len();
            return Err(Error::Failed(format!(
                "sample {index} has {n} log-probs, {old} recorded ones and {advantages} advantages: expected as many of each"
            )));
        }
        let mut grad = Vec::with_capacity(n);
        for (t, (&new, &old)) in sample.new.iter().zip(sample.old).enumerate() {
            let advantage = match sample.advantage {
                Advantage::Sample(a) => a,
                Advantage::Tokens(each) => each[t],
            };
            let log_ratio = f64::from(new) - f64::from(old);
            let ratio = log_ratio.exp();
            let (clipped_high, clipped_low) = (advantage > 0.0 && ratio > high, advantage < 0.0 && ratio < low);
            let term = if clipped_high || clipped_low { ratio.clamp(low, high) * advantage } else { ratio * advantage };
            objective.loss -= term / normaliser;
            grad.push(if clipped_high || clipped_low { 0.0 } else { (-ratio * advantage / normaliser) as f32 });
            seen.observe(log_ratio, clipped_low, clipped_high);
        }
        objective.grad.push(grad);
    }
    objective.metrics = seen.metrics();
    Ok(objective)
}

/// Running sums over tokens.
#[derive(Default)]
struct Tally {
    tokens: f64,
    ratio: f64,
    kl: f64,
    clipped_low: f64,
    clipped_high: f64,
    ratio_max: f64,
    gap: f64,
}

impl Tally {
    fn observe(&mut self, log_ratio: f64, clipped_low: bool, clipped_high: bool) {
        self.tokens += 1.0;
        self.ratio += log_ratio.exp();
        self.ratio_max = self.ratio_max.max(log_ratio.exp());
        self.kl += log_ratio.exp_m1() - log_ratio;
        self.gap = self.gap.max(log_ratio.abs());
        self.clipped_low += f64::from(u8::from(clipped_low));
        self.clipped_high += f64::from(u8::from(clipped_high));
    }

    fn metrics(self) -> Metrics {
        let mut m = Metrics::default();
        m.mean("ratio", self.ratio, self.tokens);
        m.mean("kl", self.kl, self.tokens);
        m.mean("clipped_low", self.clipped_low, self.tokens);
        m.mean("clipped_high", self.clipped_high, self.tokens);
        m.max("ratio_max", self.ratio_max);
        m.max("log_prob_gap", self.gap);
        m
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::central_difference;
    use super::*;

    fn one(new: &[f32], old: &[f32], advantage: f64, n: f64) -> Objective {
        dapo(&[Sample { new, old, advantage: Advantage::Sample(advantage) }], &Clip::default(), n).unwrap()
    }

    #[test]
    fn hand_computed() {
        // Ratios 2, 1 and 1/2; the clip is 0.8 .. 1.28.
        let ln2 = std::f32::consts::LN_2;
        let (new, old) = ([-1.0, -1.0, -1.0 - ln2], [-1.0 - ln2, -1.0, -1.0]);
        let up = one(&new, &old, 1.0, 3.0);
        assert!((up.loss + (1.28 + 1.0 + 0.5) / 3.0).abs() < 1e-6);
        assert_eq!(up.grad[0][0], 0.0);
        assert!((up.grad[0][1] + 1.0 / 3.0).abs() < 1e-7 && (up.grad[0][2] + 0.5 / 3.0).abs() < 1e-7);
        assert!((up.metrics.get("clipped_high").unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(up.metrics.get("clipped_low"), Some(0.0));
        assert!((up.metrics.get("ratio").unwrap() - 3.5 / 3.0).abs() < 1e-6);
        assert!((up.metrics.get("log_prob_gap").unwrap() - f64::from(ln2)).abs() < 1e-6);
        // k3 of log-ratios ln 2, 0, −ln 2: (2 − 1 − ln 2) + 0 + (1/2 − 1 + ln 2) = 1/2.
        assert!((up.metrics.get("kl").unwrap() - 0.5 / 3.0).abs() < 1e-6);
        let rarer = one(&new[2..], &old[2..], 1.0, 1.0).metrics.get("kl").unwrap();
        assert!((rarer - (0.5 - 1.0 + f64::from(ln2))).abs() < 1e-6);

        let down = one(&new, &old, -1.0, 3.0);
        assert!((down.loss - (2.0 + 1.0 + 0.8) / 3.0).abs() < 1e-6);
        assert!((down.grad[0][0] - 2.0 / 3.0).abs() < 1e-6);
        assert_eq!(down.grad[0][2], 0.0);
    }

    #[test]
    fn on_policy_the_gradient_is_the_plain_policy_gradient() {
        let o = one(&[-1.0, -2.0], &[-1.0, -2.0], 0.5, 2.0);
        assert_eq!(o.grad, [[-0.25, -0.25]]);
        assert_eq!(o.metrics.get("kl"), Some(0.0));
    }

    #[test]
    fn advantages_of_tokens_are_those_of_the_sample_when_equal() {
        let (new, old) = ([-1.0, -0.5], [-1.1, -0.9]);
        let clip = Clip::default();
        let each =
            dapo(&[Sample { new: &new, old: &old, advantage: Advantage::Tokens(&[0.3, 0.3]) }], &clip, 2.0).unwrap();
        assert_eq!(each, one(&new, &old, 0.3, 2.0));
    }

    #[test]
    fn ragged_samples_and_wrong_settings_are_refused() {
        let clip = Clip::default();
        let bad = |sample| dapo(&[sample], &clip, 1.0).is_err();
        assert!(bad(Sample { new: &[-1.0], old: &[], advantage: Advantage::Sample(1.0) }));
        assert!(bad(Sample { new: &[-1.0], old: &[-1.0], advantage: Advantage::Tokens(&[]) }));
        assert!(dapo(&[], &clip, 0.0).is_err());
        assert!(dapo(&[], &Clip { clip_low: 1.5, clip_high: 0.2 }, 1.0).is_err());
        assert!(dapo(&[], &Clip { clip_low: 0.2, clip_high: f64::NAN }, 1.0).is_err());
    }

    proptest! {
        #[test]
        fn gradients_equal_finite_differences(
            tokens in prop::collection::vec((-3.0f32..0.0, -0.6f32..0.6, -2.0f64..2.0), 1..6), n in 1.0f64..9.0,
        ) {
            let old: Vec<f32> = tokens.iter().map(|t| t.0).collect();
            let new: Vec<f32> = tokens.iter().map(|t| t.0 + t.1).collect();
            let advantages: Vec<f64> = tokens.iter().map(|t| t.2).collect();
            let clip = Clip::default();
            let o = dapo(&[Sample { new: &new, old: &old, advantage: Advantage::Tokens(&advantages) }], &clip, n).unwrap();
            // The same loss in f64 throughout, written as the paper has it.
            let loss = |x: &[f64]| -> f64 {
                -x.iter().zip(&old).zip(&advantages).map(|((x, &o), a)| {
                    let r = (x - f64::from(o)).exp();
                    (r * a).min(r.clamp(0.8, 1.28) * a)
                }).sum::<f64>() / n
            };
            let at: Vec<f64> = new.iter().map(|&x| f64::from(x)).collect();
            prop_assert!((o.loss - loss(&at)).abs() < 1e-9);
            for (i, &x) in at.iter().enumerate() {
                let r = (x - f64::from(old[i])).exp();
                prop_assume!((r - 0.8).abs() > 1e-3 && (r - 1.28).abs() > 1e-3);
                prop_assert!((f64::from(o.grad[0][i]) - central_difference(&at, i, loss)).abs() < 1e-6);
            }
        }

        #[test]
        fn parts_add_up_to_the_batch(rows in prop::collection::vec(prop::collection::vec((-3.0f32..0.0, -3.0f32..0.0), 0..5), 2..6)) {
            let olds: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().map(|t| t.0).collect()).collect();
            let news: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().map(|t| t.1).collect()).collect();
            let samples: Vec<Sample<'_>> = olds.iter().zip(&news).enumerate()
                .map(|(i, (old, new))| Sample { new, old, advantage: Advantage::Sample(i as f64 - 1.0) }).collect();
            let clip = Clip::default();
            let whole = dapo(&samples, &clip, 11.0).unwrap();
            let mut loss = 0.0;
            let mut grad = Vec::new();
            let mut metrics = Metrics::default();
            for sample in &samples {
                let part = dapo(&[*sample], &clip, 11.0).unwrap();
                loss += part.loss;
                grad.extend(part.grad);
                metrics.merge(&part.metrics);
            }
            prop_assert!((loss - whole.loss).abs() < 1e-9);
            prop_assert_eq!(grad, whole.grad);
            for (name, value) in whole.metrics.iter() {
                let merged = metrics.get(name).unwrap();
                prop_assert!((merged - value).abs() < 1e-9 || (merged.is_nan() && value.is_nan()));
            }
        }
    }
}

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
//! Other averages ([`LossAverage`]) are the same sum with another N a sample. Samples that are to be left out (truncated
//! ones, say) are left out by the caller, of the samples and of N.
//!
//! The paper has no penalty for leaving a reference. With `kl_weight` β > 0 and the reference's log-probs there is one
//! (GRPO, Shao et al. 2024, eq. 4): each token adds `β/N·(e^d − d − 1)` with `d = log π_ref − log π`, an estimate of
//! KL(π ‖ π_ref) that is never negative; its derivative by log π is `β/N·(1 − e^d)`.

use super::{Metrics, Objective, check_normaliser};
use crate::config::LossAverage;
use crate::error::{Error, Result};

/// How far a token's probability may move before its gradient is cut off, and what leaving the reference costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PolicyLoss {
    /// ε_low: the ratio of new to old probability is clipped below 1 − `clip_low`. Default 0.2.
    pub clip_low: f64,
    /// ε_high: the ratio is clipped above 1 + `clip_high`. Default 0.28, larger than below so that rare tokens can
    /// grow.
    pub clip_high: f64,
    /// β, the weight of the divergence from the reference. Default 0: none.
    pub kl_weight: f64,
}

impl Default for PolicyLoss {
    fn default() -> Self {
        PolicyLoss { clip_low: 0.2, clip_high: 0.28, kl_weight: 0.0 }
    }
}

impl PolicyLoss {
    /// Checks the ranges.
    ///
    /// # Errors
    /// Names the field, its value and its range.
    pub fn check(&self) -> Result<()> {
        if !(0.0..=1.0).contains(&self.clip_low) {
            return Err(Error::Usage(format!("clip_low is {}: expected 0 to 1", self.clip_low)));
        }
        for (name, value) in [("clip_high", self.clip_high), ("kl_weight", self.kl_weight)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::Usage(format!("{name} is {value}: expected a number of at least 0")));
            }
        }
        Ok(())
    }
}

/// N of every sample, from the number of tokens of each sample of each group of the step.
pub fn normalisers(average: LossAverage, tokens: &[Vec<usize>]) -> Vec<Vec<f64>> {
    let sum = |group: &[usize]| group.iter().sum::<usize>() as f64;
    let all: f64 = tokens.iter().map(|group| sum(group)).sum();
    let groups = tokens.iter().filter(|group| sum(group) > 0.0).count() as f64;
    let rollouts = tokens.iter().flatten().filter(|&&n| n > 0).count() as f64;
    let of = |group: &Vec<usize>| {
        let of = |&n: &usize| match average {
            LossAverage::Step => all,
            LossAverage::Group => groups * sum(group),
            LossAverage::Rollout => rollouts * n as f64,
        };
        group.iter().map(of).collect()
    };
    tokens.iter().map(of).collect()
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
    /// Log-probs under the reference; as long as `new`. Needed where `kl_weight` is more than 0.
    pub reference: Option<&'a [f32]>,
    /// What the tokens were worth.
    pub advantage: Advantage<'a>,
    /// N: [`normalisers`].
    pub normaliser: f64,
}

/// The loss of `samples`, its derivative by each of their `new` log-probs, and its metrics.
///
/// Metrics, over tokens: `ratio` (mean ρ), `ratio_max`, `clipped_low` and `clipped_high` (shares of tokens without
/// gradient for the one or the other reason), `kl` (ρ − 1 − log ρ: the low-variance, never negative estimate, from
/// tokens that π_old drew, of KL(π_old ‖ π), called k3 by Schulman, 2020), and `log_prob_gap` (largest
/// |log π − log π_old|: on the first update after sampling it shows how well sampling and training agree); with a
/// reference `kl_reference` (mean of the penalty without its weight).
///
/// # Errors
/// When a normaliser is not a positive number, a setting is out of range, the lengths within a sample differ, or a
/// reference is missing.
pub fn dapo(samples: &[Sample<'_>], settings: &PolicyLoss) -> Result<Objective> {
    settings.check()?;
    let (low, high) = (1.0 - settings.clip_low, 1.0 + settings.clip_high);
    let mut objective = Objective::default();
    let mut seen = Tally::default();
    for (index, sample) in samples.iter().enumerate() {
        let (n, normaliser) = (sample.new.len(), sample.normaliser);
        if n > 0 {
            check_normaliser(normaliser, "drawn tokens")?;
        }
        let advantages = match sample.advantage {
            Advantage::Sample(_) => n,
            Advantage::Tokens(each) => each.len(),
        };
        if settings.kl_weight > 0.0 && sample.reference.is_none() {
            return Err(Error::Failed(format!(
                "sample {index} has no reference, and kl_weight is {}",
                settings.kl_weight
            )));
        }
        let reference = sample.reference.map_or(n, <[f32]>::len);
        if sample.old.len() != n || advantages != n || reference != n {
            let old = sample.old.len();
            return Err(Error::Failed(format!(
                "sample {index} has {n} log-probs, {old} recorded ones, {reference} of the reference and {advantages} advantages: expected as many of each"
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
            let mut slope = if clipped_high || clipped_low { 0.0 } else { -ratio * advantage };
            if let Some(reference) = sample.reference {
                let away = f64::from(reference[t]) - f64::from(new);
                let divergence = away.exp_m1() - away;
                objective.loss += settings.kl_weight * divergence / normaliser;
                slope -= settings.kl_weight * away.exp_m1();
                seen.kl_reference += divergence;
                seen.referred += 1.0;
            }
            grad.push((slope / normaliser) as f32);
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
    kl_reference: f64,
    /// Tokens that have a reference.
    referred: f64,
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
        if self.referred > 0.0 {
            m.mean("kl_reference", self.kl_reference, self.referred);
        }
        m.max("ratio_max", self.ratio_max);
        m.max("log_prob_gap", self.gap);
        m
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::central_difference;
    use super::*;

    fn sample<'a>(new: &'a [f32], old: &'a [f32], advantage: Advantage<'a>, normaliser: f64) -> Sample<'a> {
        Sample { new, old, reference: None, advantage, normaliser }
    }

    fn one(new: &[f32], old: &[f32], advantage: f64, n: f64) -> Objective {
        dapo(&[sample(new, old, Advantage::Sample(advantage), n)], &PolicyLoss::default()).unwrap()
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
        let each = dapo(&[sample(&new, &old, Advantage::Tokens(&[0.3, 0.3]), 2.0)], &PolicyLoss::default()).unwrap();
        assert_eq!(each, one(&new, &old, 0.3, 2.0));
    }

    #[test]
    fn leaving_the_reference_costs() {
        // d = ln 2 and 0: 2 − ln 2 − 1 and 0; slopes 1 − 2 and 0.
        let ln2 = std::f32::consts::LN_2;
        let settings = PolicyLoss { kl_weight: 0.5, ..PolicyLoss::default() };
        let (new, reference) = ([-1.0 - ln2, -1.0], [-1.0, -1.0]);
        let at = Sample { reference: Some(&reference), ..sample(&new, &new, Advantage::Sample(0.0), 4.0) };
        let o = dapo(&[at], &settings).unwrap();
        let divergence = 1.0 - f64::from(ln2);
        assert!((o.loss - 0.5 * divergence / 4.0).abs() < 1e-7);
        assert!((o.grad[0][0] + 0.5 / 4.0).abs() < 1e-7 && o.grad[0][1] == 0.0);
        assert!((o.metrics.get("kl_reference").unwrap() - divergence / 2.0).abs() < 1e-7);
        assert!(dapo(&[Sample { reference: None, ..at }], &settings).is_err());
        assert!(dapo(&[Sample { reference: Some(&reference[1..]), ..at }], &settings).is_err());
    }

    /// TRL's own code on the same log-probs, advantages and averages: losses, derivatives by each token, shares of clipped tokens.
    #[test]
    fn equals_trl() {
        let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
        let list = |v: &Value| v.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect::<Vec<_>>();
        let rollouts = golden["rollouts"].as_array().unwrap();
        let of = |key: &str| rollouts.iter().map(|r| list(&r[key])).collect::<Vec<_>>();
        let (new, old, reference) = (of("new"), of("old"), of("reference"));
        let policies = golden["policies"].as_array().unwrap();
        assert!(policies.len() >= 4);
        for case in policies {
            let number = |key: &str| case[key].as_f64().unwrap();
            let average: LossAverage = serde_json::from_value(case["average"].clone()).unwrap();
            let counts = normalisers(average, &[new.iter().map(Vec::len).collect()]);
            let samples: Vec<Sample> = (0..rollouts.len())
                .map(|i| Sample {
                    new: &new[i],
                    old: &old[i],
                    reference: Some(&reference[i]),
                    advantage: Advantage::Sample(rollouts[i]["advantage"].as_f64().unwrap()),
                    normaliser: counts[0][i],
                })
                .collect();
            let [clip_low, clip_high, kl_weight] = ["clip_low", "clip_high", "kl_weight"].map(number);
            let o = dapo(&samples, &PolicyLoss { clip_low, clip_high, kl_weight }).unwrap();
            assert!((o.loss - number("value")).abs() < 1e-9, "{case}: {}", o.loss);
            for (have, want) in o.grad.iter().zip(case["grad"].as_array().unwrap()) {
                let far = have.iter().zip(list(want)).any(|(have, want)| (have - want).abs() > 1e-7);
                assert!(!far && have.len() == list(want).len(), "{case}: {have:?}");
            }
            for share in ["clipped_low", "clipped_high"] {
                assert!((o.metrics.get(share).unwrap() - number(share)).abs() < 1e-6, "{case}: {share}");
            }
        }
    }

    #[test]
    fn averages_by_hand() {
        // Groups of 1 + 3 and 4 + 0 tokens: a rollout without tokens counts for nothing.
        let tokens = [vec![1, 3], vec![4, 0]];
        assert_eq!(normalisers(LossAverage::Step, &tokens), [[8.0, 8.0], [8.0, 8.0]]);
        assert_eq!(normalisers(LossAverage::Group, &tokens), [[8.0, 8.0], [8.0, 8.0]]);
        assert_eq!(normalisers(LossAverage::Rollout, &tokens), [[3.0, 9.0], [12.0, 0.0]]);
        assert_eq!(normalisers(LossAverage::Group, &[vec![1, 1], vec![6]]), [vec![4.0, 4.0], vec![12.0]]);
    }

    #[test]
    fn ragged_samples_and_wrong_settings_are_refused() {
        let settings = PolicyLoss::default();
        let bad = |sample| dapo(&[sample], &settings).is_err();
        assert!(bad(sample(&[-1.0], &[], Advantage::Sample(1.0), 1.0)));
        assert!(bad(sample(&[-1.0], &[-1.0], Advantage::Tokens(&[]), 1.0)));
        assert!(bad(sample(&[-1.0], &[-1.0], Advantage::Sample(1.0), 0.0)));
        assert!(dapo(&[], &PolicyLoss { clip_low: 1.5, ..settings }).is_err());
        assert!(dapo(&[], &PolicyLoss { clip_high: f64::NAN, ..settings }).is_err());
        assert!(dapo(&[], &PolicyLoss { kl_weight: -0.1, ..settings }).is_err());
    }

    proptest! {
        #[test]
        fn gradients_equal_finite_differences(
            tokens in prop::collection::vec((-3.0f32..0.0, -0.6f32..0.6, -2.0f64..2.0, -3.0f32..0.0), 1..6),
            n in 1.0f64..9.0, kl_weight in 0.0f64..0.5,
        ) {
            let old: Vec<f32> = tokens.iter().map(|t| t.0).collect();
            let new: Vec<f32> = tokens.iter().map(|t| t.0 + t.1).collect();
            let advantages: Vec<f64> = tokens.iter().map(|t| t.2).collect();
            let reference: Vec<f32> = tokens.iter().map(|t| t.3).collect();
            let settings = PolicyLoss { kl_weight, ..PolicyLoss::default() };
            let at = sample(&new, &old, Advantage::Tokens(&advantages), n);
            let o = dapo(&[Sample { reference: Some(&reference), ..at }], &settings).unwrap();
            // The same loss in f64 throughout, written as the paper has it.
            let loss = |x: &[f64]| -> f64 {
                -x.iter().zip(&old).zip(&advantages).zip(&reference).map(|(((x, &o), a), &reference)| {
                    let (r, d) = ((x - f64::from(o)).exp(), f64::from(reference) - x);
                    (r * a).min(r.clamp(0.8, 1.28) * a) - kl_weight * (d.exp() - d - 1.0)
                }).sum::<f64>() / n
            };
            let at: Vec<f64> = new.iter().map(|&x| f64::from(x)).collect();
            prop_assert!((o.loss - loss(&at)).abs() < 1e-9);
            for (i, &x) in at.iter().enumerate() {
                let r = (x - f64::from(old[i])).exp();
                prop_assume!((r - 0.8).abs() > 1e-3 && (r - 1.28).abs() > 1e-3);
                prop_assert!((f64::from(o.grad[0][i]) - central_difference(&at, i, loss)).abs() < 1e-5);
            }
        }

        #[test]
        fn parts_add_up_to_the_batch(rows in prop::collection::vec(prop::collection::vec((-3.0f32..0.0, -3.0f32..0.0), 0..5), 2..6)) {
            let olds: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().map(|t| t.0).collect()).collect();
            let news: Vec<Vec<f32>> = rows.iter().map(|r| r.iter().map(|t| t.1).collect()).collect();
            let samples: Vec<Sample<'_>> = olds.iter().zip(&news).enumerate()
                .map(|(i, (old, new))| sample(new, old, Advantage::Sample(i as f64 - 1.0), 11.0)).collect();
            let settings = PolicyLoss::default();
            let whole = dapo(&samples, &settings).unwrap();
            let mut loss = 0.0;
            let mut grad = Vec::new();
            let mut metrics = Metrics::default();
            for sample in &samples {
                let part = dapo(&[*sample], &settings).unwrap();
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

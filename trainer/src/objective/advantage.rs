//! From the rewards of a group of rollouts to their advantages, and the soft punishment of overlong answers.
//!
//! ```text
//! A_i = r_i − mean(r)                          None  (Dr. GRPO, Liu et al. 2025)
//! A_i = (r_i − mean(r)) / (std(r) + 1e−4)      Std   (GRPO, Shao et al. 2024; DAPO, Yu et al. 2025, eq. 9)
//! ```
//!
//! `std` is the sample's (divisor G − 1), as in the common implementations.

use serde::{Deserialize, Serialize};

/// Added to the standard deviation, so that a group of almost equal rewards does not blow up.
const STD_FLOOR: f64 = 1e-4;

/// What a difference to the group's mean is divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageScale {
    /// Nothing: a group in which little differs weighs little. The default.
    #[default]
    None,
    /// The group's standard deviation: every informative group weighs the same.
    Std,
}

/// The advantage of each rollout of one group. All zero when the rewards are all equal (also for a group of one).
pub fn group_advantages(rewards: &[f64], scale: AdvantageScale) -> Vec<f64> {
    if !is_informative(rewards) {
        return vec![0.0; rewards.len()];
    }
    let n = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / n;
    let divisor = match scale {
        AdvantageScale::None => 1.0,
        AdvantageScale::Std => STD_FLOOR + (rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt(),
    };
    rewards.iter().map(|r| (r - mean) / divisor).collect()
}

/// Whether a group teaches anything: its rewards are not all equal. DAPO's dynamic sampling draws until a batch is full
/// of such groups.
pub fn is_informative(rewards: &[f64]) -> bool {
    rewards.iter().any(|r| Some(r) != rewards.first())
}

/// DAPO's soft overlong punishment (Yu et al. 2025, eq. 13), added to the reward of an answer of `len` tokens: 0 up to
/// `max − buffer`, then falling in a straight line to −1 at `max`, and −1 beyond. `buffer` is at most `max`.
pub fn overlong(len: usize, max: usize, buffer: usize) -> f64 {
    let free = max.saturating_sub(buffer);
    if len <= free {
        0.0
    } else if len >= max {
        -1.0
    } else {
        -((len - free) as f64) / (max - free) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hand_computed() {
        assert_eq!(group_advantages(&[1.0, 2.0, 0.0, 1.0], AdvantageScale::None), [0.0, 1.0, -1.0, 0.0]);
        // The sample's standard deviation of 1, 2, 0, 1 is sqrt(2/3).
        let scaled = group_advantages(&[1.0, 2.0, 0.0, 1.0], AdvantageScale::Std);
        assert!((scaled[1] - 1.0 / ((2.0f64 / 3.0).sqrt() + 1e-4)).abs() < 1e-12);
        assert_eq!(scaled[2], -scaled[1]);
    }

    #[test]
    fn equal_rewards_teach_nothing_exactly() {
        // The mean of three 0.1 is not 0.1 in binary; the advantage must be 0 all the same.
        for scale in [AdvantageScale::None, AdvantageScale::Std] {
            assert_eq!(group_advantages(&[0.1; 3], scale), [0.0; 3]);
            assert_eq!(group_advantages(&[0.7], scale), [0.0]);
            assert!(group_advantages(&[], scale).is_empty());
        }
        assert!(!is_informative(&[2.0; 8]) && is_informative(&[2.0, 2.0, 1.0]));
    }

    #[test]
    fn overlong_is_the_papers_ramp() {
        let at = |len| overlong(len, 100, 20);
        assert_eq!([at(0), at(80), at(85), at(90), at(100), at(500)], [0.0, 0.0, -0.25, -0.5, -1.0, -1.0]);
        assert_eq!(overlong(5, 5, 0), 0.0);
        assert_eq!(overlong(6, 5, 0), -1.0);
    }

    proptest! {
        #[test]
        fn advantages_sum_to_zero_and_keep_the_order(rewards in prop::collection::vec(-3.0f64..3.0, 2..12)) {
            for scale in [AdvantageScale::None, AdvantageScale::Std] {
                let a = group_advantages(&rewards, scale);
                prop_assert!(a.iter().sum::<f64>().abs() < 1e-9);
                for (i, j) in (0..a.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
                    prop_assert_eq!(rewards[i] > rewards[j], a[i] > a[j]);
                }
            }
        }
    }
}

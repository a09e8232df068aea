//! From the rewards of a group of rollouts to their advantages, and the soft punishment of overlong answers.
//!
//! ```text
//! A_i = r_i − mean(r)                          group_mean      (Dr. GRPO, Liu et al. 2025)
//! A_i = (r_i − mean(r)) / (std(r) + 1e−4)      group_mean_std  (GRPO, Shao et al. 2024; DAPO, Yu et al. 2025, eq. 9)
//! A_i = r_i − mean_{j≠i}(r_j)                  leave_one_out   (RLOO, Kool et al. 2019; Ahmadian et al. 2024)
//! ```
//!
//! `std` is the sample's (divisor G − 1), as in the common implementations.
//!
//! **Credit by turn.** [`turn_advantages`] gives each turn the rewards that are still to come:
//!
//! ```text
//! R_it = Σ_{s ≥ t} v_is        A_it = R_it − mean_{j≠i}(R_jt)
//! ```
//!
//! with v_is what turn s adds to the reward of rollout i. A learner that has stopped adds nothing more, and still counts:
//! every rollout has a value for every turn. Were the mean (or a standard deviation) taken over only those that reached
//! turn t, a policy could move its own baseline by stopping: leaving a group of poor continuations early would look like
//! merit. For the same reason there is no division by a turn's standard deviation. Values of the other rollouts do not
//! depend on what rollout i draws, so the estimate is unbiased.

use crate::config::AdvantageEstimator;

/// Added to the standard deviation, so that a group of almost equal rewards does not blow up.
const STD_FLOOR: f64 = 1e-4;

/// The advantage of each rollout of one group. All zero when the rewards are all equal (also for a group of one).
pub fn group_advantages(rewards: &[f64], estimator: AdvantageEstimator) -> Vec<f64> {
    if !is_informative(rewards) {
        return vec![0.0; rewards.len()];
    }
    let n = rewards.len() as f64;
    let mean = rewards.iter().sum::<f64>() / n;
    let divisor = match estimator {
        AdvantageEstimator::GroupMean => 1.0,
        AdvantageEstimator::GroupMeanStd => {
            STD_FLOOR + (rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt()
        }
        // r_i − (n·mean − r_i)/(n − 1) = (r_i − mean)·n/(n − 1)
        AdvantageEstimator::LeaveOneOut => (n - 1.0) / n,
    };
    rewards.iter().map(|r| (r - mean) / divisor).collect()
}

/// The advantage of each turn of each rollout of one group: `values [rollouts][turns]` → the same shape. Rollouts with
/// fewer values than the longest are taken to earn nothing more.
pub fn turn_advantages(values: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let turns = values.iter().map(Vec::len).max().unwrap_or(0);
    let mut advantages: Vec<Vec<f64>> = values.iter().map(|v| vec![0.0; v.len()]).collect();
    let mut to_go = vec![0.0; values.len()];
    for turn in (0..turns).rev() {
        for (rest, values) in to_go.iter_mut().zip(values) {
            *rest += values.get(turn).copied().unwrap_or(0.0);
        }
        let of_turn = group_advantages(&to_go, AdvantageEstimator::LeaveOneOut);
        for (row, advantage) in advantages.iter_mut().zip(of_turn) {
            if let Some(slot) = row.get_mut(turn) {
                *slot = advantage;
            }
        }
    }
    advantages
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

    const ALL: [AdvantageEstimator; 3] =
        [AdvantageEstimator::GroupMean, AdvantageEstimator::GroupMeanStd, AdvantageEstimator::LeaveOneOut];

    #[test]
    fn hand_computed() {
        let rewards = [1.0, 2.0, 0.0, 1.0];
        assert_eq!(group_advantages(&rewards, AdvantageEstimator::GroupMean), [0.0, 1.0, -1.0, 0.0]);
        // The sample's standard deviation of 1, 2, 0, 1 is sqrt(2/3).
        let scaled = group_advantages(&rewards, AdvantageEstimator::GroupMeanStd);
        assert!((scaled[1] - 1.0 / ((2.0f64 / 3.0).sqrt() + 1e-4)).abs() < 1e-12);
        assert_eq!(scaled[2], -scaled[1]);
        // The others' means are 1, 2/3, 4/3, 1.
        let left_out = group_advantages(&rewards, AdvantageEstimator::LeaveOneOut);
        for (found, expected) in left_out.iter().zip([0.0, 4.0 / 3.0, -4.0 / 3.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn turns_are_credited_with_what_is_still_to_come() {
        // To go: 3 and 2; 3 and 0; 1 and 1.
        let found = turn_advantages(&[vec![1.0, 2.0], vec![3.0, 0.0], vec![0.0, 1.0]]);
        let expected = [[1.0, 1.5], [1.0, -1.5], [-2.0, 0.0]];
        for (row, expected) in found.iter().zip(expected) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?}");
        }
        assert_eq!(turn_advantages(&[vec![1.0], vec![1.0]]), [[0.0], [0.0]]);
        assert!(turn_advantages(&[]).is_empty());
    }

    #[test]
    fn who_has_stopped_still_counts_in_the_mean() {
        // The first two stopped after one turn; the third went on and gained.
        let found = turn_advantages(&[vec![0.2, 0.0], vec![0.2, 0.0], vec![0.2, 0.6]]);
        assert!((found[2][1] - 0.6).abs() < 1e-12, "{found:?}");
        let (first, second) = (found[0].clone(), found[1].clone());
        assert_eq!(first, second);
        assert!((first[0] + 0.3).abs() < 1e-12 && (first[1] + 0.3).abs() < 1e-12);
    }

    #[test]
    fn equal_rewards_teach_nothing_exactly() {
        // The mean of three 0.1 is not 0.1 in binary; the advantage must be 0 all the same.
        for estimator in ALL {
            assert_eq!(group_advantages(&[0.1; 3], estimator), [0.0; 3]);
            assert_eq!(group_advantages(&[0.7], estimator), [0.0]);
            assert!(group_advantages(&[], estimator).is_empty());
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
            for estimator in ALL {
                let a = group_advantages(&rewards, estimator);
                prop_assert!(a.iter().sum::<f64>().abs() < 1e-9);
                for (i, j) in (0..a.len()).flat_map(|i| (0..i).map(move |j| (i, j))) {
                    prop_assert_eq!(rewards[i] > rewards[j], a[i] > a[j]);
                }
            }
        }
    }
}

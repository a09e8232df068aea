//! Settings of the stage DAPO: rollouts, rewards, advantages, and the loss.

use super::{OptimiserSettings, Sampling};
use novice_rewards::RewardName;
use serde::{Deserialize, Serialize};

/// Online training on the model's own rollouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DapoSettings {
    /// Optimisation steps.
    pub steps: usize,
    /// Groups a step: starts, each a point in a real trajectory.
    pub groups: usize,
    /// Rollouts a group.
    pub group_size: usize,
    /// Submissions a rollout at most.
    pub turns: usize,
    /// Longest submission in tokens.
    pub max_new_tokens: usize,
    /// Tokens before that length in which the overlong penalty grows from 0 to 1.
    pub overlong_buffer: usize,
    /// Weight of the overlong penalty.
    pub overlong_weight: f64,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Lower clip of the probability ratio: 1 − this.
    pub clip_low: f64,
    /// Upper clip of the probability ratio: 1 + this.
    pub clip_high: f64,
    /// Updates on each batch of rollouts.
    pub updates: usize,
    /// What the loss is averaged over: `step` (every drawn token weighs the same), `group` or `rollout`.
    pub loss_average: LossAverage,
    /// Weight of the divergence from the SFT model; 0 for none.
    pub kl_weight: f64,
    /// Leave rollouts that were cut off by `max_new_tokens` out of the loss.
    pub mask_truncated: bool,
    /// How rewards become advantages: `group_mean_std`, `group_mean` or `leave_one_out`.
    pub advantage: AdvantageEstimator,
    /// What an advantage belongs to: the whole `rollout`, or each `turn` (what it and the turns after it add to the
    /// reward; compared by `leave_one_out`, whatever `advantage` says).
    pub credit: Credit,
    /// Which groups are trained on.
    pub keep: KeepSettings,
    /// Draw new groups in place of those that are not kept, up to this many rounds a step.
    pub resample_rounds: usize,
    /// A rollout ends when it has sent the same program this many times more in a row; 0 for never.
    pub max_repeats: usize,
    /// Milliseconds that a grading takes at least: 0, but to see what slow grading would cost.
    pub grading_delay_ms: u64,
    /// Rewards and their weights; `novice rewards list` names them.
    pub rewards: Vec<WeightedReward>,
    /// Before a new run, play scripted policies through the rewards, and refuse rewards that pay an exploit better than a
    /// student's work. Takes seconds to a minute.
    pub audit: bool,
    /// Learning rate, schedule, clipping.
    pub optimiser: OptimiserSettings,
}

impl Default for DapoSettings {
    fn default() -> Self {
        DapoSettings {
            steps: 50,
            groups: 4,
            group_size: 8,
            turns: 3,
            max_new_tokens: 256,
            overlong_buffer: 32,
            overlong_weight: 0.5,
            sampling: Sampling::default(),
            clip_low: 0.2,
            clip_high: 0.28,
            updates: 1,
            loss_average: LossAverage::Step,
            kl_weight: 0.0,
            mask_truncated: false,
            advantage: AdvantageEstimator::GroupMeanStd,
            credit: Credit::Rollout,
            keep: KeepSettings::default(),
            resample_rounds: 2,
            max_repeats: 0,
            grading_delay_ms: 0,
            rewards: vec![WeightedReward { name: RewardName::Energy, weight: 1.0 }],
            audit: true,
            optimiser: OptimiserSettings { learning_rate: 1e-5, ..OptimiserSettings::default() },
        }
    }
}

/// What an advantage belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credit {
    /// All turns of a rollout share its advantage.
    Rollout,
    /// Each turn has its own.
    Turn,
}

/// Which groups are trained on: those whose outcomes are not all equal and whose mean is within bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KeepSettings {
    /// The outcome: `grade_curve`, `final_grade`, or the `reward` itself (bounds do not apply to it).
    pub by: KeepBy,
    /// Least mean outcome of a group, 0 to 1.
    pub low: f64,
    /// Greatest mean outcome of a group, 0 to 1.
    pub high: f64,
}

impl Default for KeepSettings {
    fn default() -> Self {
        KeepSettings { by: KeepBy::GradeCurve, low: 0.0, high: 1.0 }
    }
}

/// The outcome that decides whether a group is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeepBy {
    /// Closeness of the grades to the student's (the reward `curve_area`).
    GradeCurve,
    /// The last grade.
    FinalGrade,
    /// The reward that is trained on.
    Reward,
}

/// A reward and how much it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedReward {
    /// Its name.
    pub name: RewardName,
    /// Its weight.
    pub weight: f64,
}

/// How a rollout's reward is compared with those of its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdvantageEstimator {
    /// Less the group's mean: a group in which little differs weighs little.
    GroupMean,
    /// Less the mean and divided by the standard deviation: every group with a signal weighs the same, as in DAPO.
    #[default]
    GroupMeanStd,
    /// Less the mean of the others: unbiased at any group size.
    LeaveOneOut,
}

/// What the sum over tokens is divided by: how much a long answer counts beside a short one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossAverage {
    /// The drawn tokens of the step: every token weighs the same (DAPO).
    #[default]
    Step,
    /// The tokens of the group, and the groups: every group weighs the same.
    Group,
    /// The tokens of the rollout, and the rollouts: every rollout weighs the same, a token of a long one less (GRPO).
    Rollout,
}

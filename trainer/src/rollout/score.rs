//! Rollouts beside the real student's own continuation: what the rewards are computed from.
//!
//! The rollouts of one start are scored together: some rewards compare them with one another.

use super::Rollout;
use crate::config::{DapoSettings, WeightedReward};
use crate::objective;
use crate::traces::{Step, Trajectory};
use novice_rewards::compose::{RewardBreakdown, group_worth};
use novice_rewards::metrics::joint::copy_share;
use novice_rewards::{RewardInput, RewardName, Start, StepView, compose_group};
use novice_sandbox::{Outcome, Report};

/// A rollout's reward and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The weighted sum.
    pub total: f64,
    /// Every component by name.
    pub components: Vec<(String, f64)>,
    /// Share of the rollout's submissions that repeat the one before.
    pub copied: f64,
}

/// The soft overlong penalty of a rollout, −1..=0: that of its longest submission.
pub fn overlong(rollout: &Rollout, settings: &DapoSettings) -> f64 {
    let longest = rollout.turns.iter().map(|t| t.tokens.len()).max().unwrap_or(0);
    objective::overlong(longest, settings.max_new_tokens, settings.overlong_buffer)
}

/// Whether each test passed.
fn passed(report: &Report) -> Vec<bool> {
    report.tests.iter().map(|t| t.outcome == Outcome::Passed).collect()
}

/// The views of a rollout's turns; `flags` comes from [`passed`], turn by turn.
fn rollout_views<'a>(rollout: &'a Rollout, flags: &'a [Vec<bool>]) -> Vec<StepView<'a>> {
    let turns = rollout.submissions().iter().zip(flags);
    turns
        .map(|(turn, flags)| {
            let verdict = turn.report.as_ref().map(|r| r.verdict);
            StepView {
                program: turn.program.as_deref(),
                parses: verdict.is_some_and(|v| v != Outcome::SyntaxError),
                grade: turn.grade(),
                passed: flags,
                tokens: turn.tokens.len(),
                truncated: !turn.stopped,
                raised: verdict == Some(Outcome::Exception),
            }
        })
        .collect()
}

/// The views of a student's submissions.
fn student_views<'a>(steps: &'a [Step], flags: &'a [Vec<bool>]) -> Vec<StepView<'a>> {
    let steps = steps.iter().zip(flags);
    steps
        .map(|(step, flags)| StepView {
            program: Some(&step.code),
            parses: step.report.verdict != Outcome::SyntaxError,
            grade: step.report.grade,
            passed: flags,
            tokens: 0,
            truncated: false,
            raised: step.report.verdict == Outcome::Exception,
        })
        .collect()
}

/// Where rollouts took over from a student, and what they were allowed.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The student's trajectory.
    pub trajectory: &'a Trajectory,
    /// Real submissions before the rollouts.
    pub position: usize,
    /// Submissions of a rollout at most.
    pub turns: usize,
    /// Tokens of a submission at most; 0 for no limit.
    pub max_new_tokens: usize,
}

/// The rewards of the rollouts of one start, in their order.
pub fn score(beside: Beside, rollouts: &[&Rollout], rewards: &[WeightedReward]) -> Vec<Scored> {
    let weights = weights(rewards);
    beside.look(rollouts, |inputs| {
        let scored = |(breakdown, input): (RewardBreakdown, &RewardInput)| {
            let copied = copy_share(input.start.map(|s| s.program), input.rollout).unwrap_or(0.0);
            Scored { total: breakdown.total, components: breakdown.components, copied }
        };
        compose_group(&weights, inputs).into_iter().zip(inputs).map(scored).collect()
    })
}

/// What the rollouts of one start are worth together, for comparing policies; see [`group_worth`]. 0 for none.
pub fn worth(beside: Beside, rollouts: &[&Rollout], rewards: &[WeightedReward]) -> f64 {
    let weights = weights(rewards);
    beside.look(rollouts, |inputs| group_worth(&weights, &compose_group(&weights, inputs)).unwrap_or(0.0))
}

fn weights(rewards: &[WeightedReward]) -> Vec<(RewardName, f64)> {
    rewards.iter().map(|r| (r.name, r.weight)).collect()
}

impl Beside<'_> {
    /// Hands `look` each rollout beside what the student did from the same start on, at most `turns` submissions of each.
    pub fn look<R>(&self, rollouts: &[&Rollout], look: impl FnOnce(&[RewardInput]) -> R) -> R {
        let Beside { trajectory, position, turns, max_new_tokens } = *self;
        let (before, after) = trajectory.steps.split_at(position.min(trajectory.steps.len()));
        let after = after.get(..turns).unwrap_or(after);
        let before_flags = before.last().map(|step| passed(&step.report)).unwrap_or_default();
        let start =
            before.last().map(|s| Start { program: &s.code, grade: s.report.grade, passed: before_flags.as_slice() });
        let theirs_flags: Vec<Vec<bool>> = after.iter().map(|s| passed(&s.report)).collect();
        let theirs = student_views(after, &theirs_flags);
        let flags = |rollout: &Rollout| -> Vec<Vec<bool>> {
            rollout.submissions().iter().map(|t| t.report.as_ref().map(passed).unwrap_or_default()).collect()
        };
        let ours_flags: Vec<Vec<Vec<bool>>> = rollouts.iter().map(|rollout| flags(rollout)).collect();
        let ours: Vec<Vec<StepView>> =
            rollouts.iter().zip(&ours_flags).map(|(rollout, flags)| rollout_views(rollout, flags)).collect();
        let inputs: Vec<RewardInput> = ours
            .iter()
            .map(|rollout| RewardInput { start, rollout, student: &theirs, max_turns: turns, max_new_tokens })
            .collect();
        look(&inputs)
    }

    /// [`Beside::look`] at one rollout.
    pub fn look_at<R>(&self, rollout: &Rollout, look: impl FnOnce(&RewardInput) -> R) -> Option<R> {
        self.look(&[rollout], |inputs| inputs.first().map(look))
    }
}

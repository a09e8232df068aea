//! A rollout beside the real student's own continuation: what the rewards are computed from.

use super::Rollout;
use crate::config::WeightedReward;
use crate::traces::{Step, Trajectory};
use novice_rewards::metrics::joint::copy_share;
use novice_rewards::{RewardInput, Start, StepView, compose};
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

/// Whether each test passed.
fn passed(report: &Report) -> Vec<bool> {
    report.tests.iter().map(|t| t.outcome == Outcome::Passed).collect()
}

/// The views of a rollout's turns; `flags` comes from [`passed`], turn by turn.
fn rollout_views<'a>(rollout: &'a Rollout, flags: &'a [Vec<bool>]) -> Vec<StepView<'a>> {
    let turns = rollout.turns.iter().zip(flags);
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

/// The reward of a rollout that took over after `position` submissions of `trajectory`.
pub fn score(
    trajectory: &Trajectory,
    position: usize,
    rollout: &Rollout,
    rewards: &[WeightedReward],
    turns: usize,
    max_new_tokens: usize,
) -> Scored {
    beside(trajectory, position, rollout, turns, max_new_tokens, |input| {
        let weights: Vec<_> = rewards.iter().map(|r| (r.name, r.weight)).collect();
        let breakdown = compose(&weights, input);
        let copied = copy_share(input.start.map(|s| s.program), input.rollout).unwrap_or(0.0);
        Scored { total: breakdown.total, components: breakdown.components, copied }
    })
}

/// Hands `look` a rollout beside what the student did from the same start on, at most `turns` submissions of each.
pub fn beside<R>(
    trajectory: &Trajectory,
    position: usize,
    rollout: &Rollout,
    turns: usize,
    max_new_tokens: usize,
    look: impl FnOnce(&RewardInput) -> R,
) -> R {
    let (before, after) = trajectory.steps.split_at(position.min(trajectory.steps.len()));
    let after = after.get(..turns).unwrap_or(after);
    let before_flags = before.last().map(|step| passed(&step.report)).unwrap_or_default();
    let start =
        before.last().map(|s| Start { program: &s.code, grade: s.report.grade, passed: before_flags.as_slice() });
    let ours_flags: Vec<Vec<bool>> =
        rollout.turns.iter().map(|t| t.report.as_ref().map(passed).unwrap_or_default()).collect();
    let theirs_flags: Vec<Vec<bool>> = after.iter().map(|s| passed(&s.report)).collect();
    let ours = rollout_views(rollout, &ours_flags);
    let theirs = student_views(after, &theirs_flags);
    look(&RewardInput { start, rollout: &ours, student: &theirs, max_turns: turns, max_new_tokens })
}

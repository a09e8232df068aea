//! How and when a learner ended.

use crate::trajectory::moment_likeness;
use crate::view::{RewardInput, Status, StepView};

/// How a path ended within the window of turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Manner {
    /// Full marks.
    Solved,
    /// Stopped before the window's end without full marks.
    GaveUp,
    /// Still at work when the window closed.
    Working,
    /// The last turn held no program, or was cut off.
    Broken,
}

/// How a path of `steps` ended under a limit of `max_turns` (0: no limit, so whoever stops unsolved gave up).
pub fn manner(steps: &[StepView], max_turns: usize) -> Manner {
    match steps.last() {
        Some(step) if step.solved() => Manner::Solved,
        Some(step) if step.status() == Status::Malformed || step.truncated => Manner::Broken,
        _ if max_turns > 0 && steps.len() >= max_turns => Manner::Working,
        _ => Manner::GaveUp,
    }
}

/// Likeness of the endings, in 0..=1: half for the same manner, half for the moment (see the trajectory reward).
pub fn ending(input: &RewardInput) -> f64 {
    let student = input.student_in_window();
    let same = manner(input.rollout, input.max_turns) == manner(student, input.max_turns);
    0.5 * f64::from(u8::from(same)) + 0.5 * moment_likeness(input)
}

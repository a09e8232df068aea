//! Single-step rewards: one simulated submission beside the submission the student really made next.
//!
//! * [`published_step`]: the published reward, exactly, defects included; [`published_step_printed`]: as the paper prints it.
//! * [`corrected_step`]: the repaired form.
//!
//! Both are pure functions of a [`StepInput`]. [`step_inputs`] cuts a rollout into them, turn by turn.

mod corrected;
mod length;
mod published;

pub(crate) use corrected::STEADY_TEST;
pub use corrected::{CorrectedStep, corrected_step};
pub use length::length_penalty;
pub use published::{PublishedStep, Tier, published_step, published_step_printed};

use crate::view::{RewardInput, Start, StepView};

/// One simulated submission, the real one it stands beside, and what each was made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepInput<'a> {
    /// What the simulated learner had submitted before, if anything.
    pub rollout_before: Option<Start<'a>>,
    /// What the student had submitted before, if anything.
    pub student_before: Option<Start<'a>>,
    /// The simulated submission.
    pub rollout: StepView<'a>,
    /// The student's submission at the same turn.
    pub student: StepView<'a>,
    /// The most tokens the turn was allowed; 0 means no limit.
    pub max_new_tokens: usize,
}

/// The turns of a rollout that have a counterpart in the student's record. Malformed turns leave the last program
/// standing as what the next turn was made from.
pub fn step_inputs<'a>(input: &RewardInput<'a>) -> Vec<StepInput<'a>> {
    let (mut rollout_before, mut student_before) = (input.start, input.start);
    let pairs = input.rollout.iter().zip(input.student_in_window());
    pairs
        .map(|(rollout, student)| {
            let step = StepInput {
                rollout_before,
                student_before,
                rollout: *rollout,
                student: *student,
                max_new_tokens: input.max_new_tokens,
            };
            rollout_before = after(rollout_before, rollout);
            student_before = after(student_before, student);
            step
        })
        .collect()
}

fn after<'a>(before: Option<Start<'a>>, step: &StepView<'a>) -> Option<Start<'a>> {
    match step.program {
        Some(program) => Some(Start { program, grade: step.grade, passed: step.passed }),
        None => before,
    }
}

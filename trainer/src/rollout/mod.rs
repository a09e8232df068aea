//! The learner's loop: generate a submission, grade it in the sandbox, append the feedback, repeat.
//!
//! Many learners go through it at once ([`Classroom`]). All of them decode together; a learner that has finished its
//! submission is handed to the grading pool, and the others go on decoding. When it goes on is counted in steps of
//! decoding, never in time: with one seed the same tokens come out whatever the number of workers and however slow a grading is.

mod classroom;
mod learner;
mod line;
mod prefill;
mod score;
#[cfg(test)]
mod tests;

pub use classroom::{Classroom, Rolled, Spent};
pub use learner::{End, Rollout, Turn};
pub(crate) use learner::{HandedIn, Rules, submitted};
pub use line::{RolloutLine, SavedRollout, StudentLine, read_rollouts};
pub use score::{Beside, Scored, overlong, score, worth};

use crate::generate::RngKey;
use novice_sandbox::Problem;
use std::sync::Arc;
use std::time::Duration;

/// Where a rollout begins: a conversation up to and including the header of the turn that is to be generated.
#[derive(Debug, Clone)]
pub struct Start {
    /// Tokens of the conversation so far, ending with the assistant's header.
    pub prompt: Vec<u32>,
    /// What the submissions are graded against.
    pub problem: Arc<Problem>,
    /// The program handed in last, where the prompt holds one: a diff is against it.
    pub program: Option<String>,
    /// Names this start in the random numbers: the same key draws the same tokens.
    pub key: RngKey,
}

/// What bounds a rollout.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Submissions at most.
    pub turns: usize,
    /// Tokens of a submission at most.
    pub max_new_tokens: usize,
    /// Tokens of the whole conversation at most.
    pub max_tokens: usize,
    /// A rollout ends when it has sent the same program this many times more in a row; 0 for never.
    pub max_repeats: usize,
    /// Time that a grading takes at least: zero, but to see what waiting costs.
    pub grading_delay: Duration,
}

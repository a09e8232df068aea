//! One simulated learner: a small state machine, and what it leaves behind.

use crate::generate::{RngKey, SlotId};
use novice_sandbox::{Problem, Report};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Why a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Full marks.
    Solved,
    /// It made as many submissions as it may.
    OutOfTurns,
    /// A submission or the conversation became too long.
    OutOfTokens,
    /// A turn held no program.
    Malformed,
}

/// A submission and the answer to it.
#[derive(Debug, Clone)]
pub struct Turn {
    /// Sampled tokens, the stop token included where it was drawn.
    pub tokens: Vec<u32>,
    /// Their log-probs when they were drawn.
    pub log_probs: Vec<f32>,
    /// Whether the turn came to an end of its own, by the stop token or a stop text.
    pub stopped: bool,
    /// The turn as text.
    pub text: String,
    /// The program in it.
    pub program: Option<String>,
    /// Its grading.
    pub report: Option<Report>,
    /// What the learner was told.
    pub feedback: String,
    /// Tokens appended behind the turn: its end, the feedback, the next header. Empty for the last turn.
    pub reply: Vec<u32>,
}

impl Turn {
    /// The grade, 0 where there was nothing to grade.
    pub fn grade(&self) -> f64 {
        self.report.as_ref().map_or(0.0, |r| r.grade)
    }
}

/// What one learner did.
#[derive(Debug, Clone, Default)]
pub struct Rollout {
    /// Its submissions.
    pub turns: Vec<Turn>,
    /// Why it ended; `None` only while it goes on.
    pub end: Option<End>,
}

pub(super) struct Learner {
    pub slot: SlotId,
    pub problem: Arc<Problem>,
    pub key: RngKey,
    /// Tokens of the conversation so far.
    pub tokens: usize,
    pub rollout: Rollout,
}

impl Learner {
    pub fn new(slot: SlotId, problem: Arc<Problem>, key: RngKey, tokens: usize) -> Self {
        Learner { slot, problem, key, tokens, rollout: Rollout::default() }
    }

    pub fn finish(mut self) -> Rollout {
        self.rollout.end.get_or_insert(End::OutOfTurns);
        self.rollout
    }
}

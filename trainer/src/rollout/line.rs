//! A rollout as one line of JSON, beside what the student did.

use super::{End, Rollout};
use crate::traces::Trajectory;
use serde::Serialize;

/// What a line of `rollouts.jsonl` holds.
#[derive(Debug, Serialize)]
pub struct RolloutLine<'a> {
    student: &'a str,
    problem: &'a str,
    /// Real submissions before the rollout.
    start: usize,
    sample: usize,
    reward: f64,
    end: Option<End>,
    turns: Vec<TurnLine<'a>>,
    /// The grades of the student's own submissions from there on.
    real_grades: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct TurnLine<'a> {
    text: &'a str,
    grade: Option<f64>,
    verdict: Option<&'a str>,
    feedback: &'a str,
    tokens: usize,
}

impl<'a> RolloutLine<'a> {
    /// The line of the `sample`-th rollout that took over after `position` submissions of `trajectory`.
    pub fn new(trajectory: &'a Trajectory, position: usize, sample: usize, rollout: &'a Rollout, reward: f64) -> Self {
        let turns = rollout.turns.iter().map(|t| TurnLine {
            text: &t.text,
            grade: t.report.as_ref().map(|r| r.grade),
            verdict: t.report.as_ref().map(|r| r.verdict.name()),
            feedback: &t.feedback,
            tokens: t.tokens.len(),
        });
        RolloutLine {
            student: &trajectory.student,
            problem: &trajectory.problem,
            start: position,
            sample,
            reward,
            end: rollout.end,
            turns: turns.collect(),
            real_grades: trajectory.steps.iter().skip(position).map(|s| s.report.grade).collect(),
        }
    }
}

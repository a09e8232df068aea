//! How closely a whole rollout tracks the real student: the project's own, trajectory-level reward.
//!
//! A rollout and the student's continuation begin at the same submission. Turn `s` runs from 1 to `H`, the longer of the
//! two. A learner that has stopped keeps its last grade, outcomes and status (hold-last): every turn of every rollout counts,
//! and stopping early is neither free nor hidden. Five components, each in 0..=1:
//!
//! | component | weight | formula |
//! |---|---|---|
//! | grades | 0.30 | mean over turns of `1 - abs(Δgrade) / 100` |
//! | outcomes | 0.25 | mean over turns of the weighted share of tests with equal outcome; a test whose outcome never changes for the student weighs 1/4 |
//! | steps | 0.15 | mean over turns of `sqrt(min(d, d') / max(d, d'))`, where `d` is the size of the edit that made the submission; 1 if both are 0, 0 if only one learner submitted |
//! | moment | 0.20 | both solve: `1 - abs(Δturn) / (H - 1)`; neither: `1 - abs(Δ turns taken) / H`; one of them: 0 |
//! | status | 0.10 | share of turns on which parsing and raising went alike |
//!
//! `total = Σ weight · component · (share of well-formed turns)`. At a turn where the rollout repeats one of its earlier programs (by
//! [`normal_form`](crate::python::normal_form)) and the student does not, the turn's grades, outcomes and status earn nothing.
//!
//! So the student's own continuation earns 1 and nothing earns more. Copying earns at most the 0.2 of the moment unless the
//! student copied; never solving loses the moment and the grades after the student's solution; solving at once loses
//! the moment and the grades before it. The tests hold these to constructed trajectories.
//!
//! It measures the distance to one student's path. A policy that must guess which path comes earns most by a path in the
//! middle of them; [`crate::group`] has the form that earns most by guessing in the right proportions.
//!
//! It does not compare the programs' text with the student's: that is the step reward's business.

mod moment;

use crate::step::STEADY_TEST;
use crate::track::Track;
use crate::view::{RewardInput, Status, grade_closeness, outcome};

/// The trajectory reward and its components, all in 0..=1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trajectory {
    /// Closeness of the grade curves.
    pub grades: f64,
    /// Agreement of the test outcomes.
    pub outcomes: f64,
    /// Likeness of the edit sizes.
    pub steps: f64,
    /// Likeness of the moment of solving or stopping.
    pub moment: f64,
    /// Agreement on what happened: ran, raised, did not parse.
    pub status: f64,
    /// Share of the rollout's turns that held a program; 1 for a rollout of no turns.
    pub wellformed: f64,
    /// The reward.
    pub total: f64,
}

/// The trajectory reward of one rollout; the module's head has the formula. Two empty continuations are alike (1).
pub fn trajectory(input: &RewardInput) -> Trajectory {
    let rollout = Track::new(input.start, input.rollout);
    let student = Track::new(input.start, input.student_in_window());
    let turns = rollout.turns().max(student.turns());
    let weights = test_weights(input, &student);
    let (mut grades, mut outcomes, mut steps, mut status) = (0.0, 0.0, 0.0, 0.0);
    for turn in 0..turns {
        let (ours, theirs) = (rollout.at(turn), student.at(turn));
        if !ours.repeats || theirs.repeats {
            grades += grade_closeness(ours.grade, theirs.grade);
            outcomes += agreement(ours.passed, theirs.passed, &weights)
                .unwrap_or_else(|| grade_closeness(ours.grade, theirs.grade));
            status += if ours.status == theirs.status { 1.0 } else { 0.0 };
        }
        steps += size_likeness(ours.edit_size, theirs.edit_size);
    }
    let mean = |sum: f64| if turns == 0 { 1.0 } else { sum / turns as f64 };
    let malformed = input.rollout.iter().filter(|step| step.status() == Status::Malformed).count();
    let wellformed = 1.0 - malformed as f64 / input.rollout.len().max(1) as f64;
    let mut reward = Trajectory {
        grades: mean(grades),
        outcomes: mean(outcomes),
        steps: mean(steps),
        moment: moment::likeness(&rollout, &student),
        status: mean(status),
        wellformed,
        total: 0.0,
    };
    let weighted = 0.30 * reward.grades
        + 0.25 * reward.outcomes
        + 0.15 * reward.steps
        + 0.20 * reward.moment
        + 0.10 * reward.status;
    // The weights add up to 1 only up to rounding.
    reward.total = (wellformed * weighted).min(1.0);
    reward
}

/// The likeness of the moment alone, in 0..=1.
pub(crate) fn moment_likeness(input: &RewardInput) -> f64 {
    moment::likeness(&Track::new(input.start, input.rollout), &Track::new(input.start, input.student_in_window()))
}

/// How much each test counts: 1 if its outcome changes along the student's path, a quarter if not.
fn test_weights(input: &RewardInput, student: &Track) -> Vec<f64> {
    let tests = (0..student.turns()).map(|turn| student.at(turn).passed.len()).max().unwrap_or(0);
    (0..tests)
        .map(|test| {
            let first = input.start.map(|start| outcome(start.passed, test));
            let mut seen =
                first.into_iter().chain((0..student.turns()).map(|turn| outcome(student.at(turn).passed, test)));
            let one = seen.next();
            if seen.any(|other| Some(other) != one) { 1.0 } else { STEADY_TEST }
        })
        .collect()
}

/// Weighted share of tests with equal outcome; `None` without tests.
fn agreement(ours: &[bool], theirs: &[bool], weights: &[f64]) -> Option<f64> {
    let tests = ours.len().max(theirs.len());
    let weight = |test: usize| weights.get(test).copied().unwrap_or(STEADY_TEST);
    let all: f64 = (0..tests).map(weight).sum();
    let agreed: f64 = (0..tests).filter(|test| outcome(ours, *test) == outcome(theirs, *test)).map(weight).sum();
    (tests > 0).then(|| agreed / all)
}

/// Likeness of two edit sizes, in 0..=1; a learner that submitted nothing is unlike one that did.
pub(crate) fn size_likeness(ours: Option<f64>, theirs: Option<f64>) -> f64 {
    match (ours, theirs) {
        (Some(a), Some(b)) if a == b => 1.0,
        (Some(a), Some(b)) => (a.min(b) / a.max(b)).sqrt(),
        (None, None) => 1.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests;

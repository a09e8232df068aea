//! What can be rolled out: a model, or the baseline that sends the last program again.

use super::Point;
use crate::error::Result;
use crate::generate::RngKey;
use crate::model::Model;
use crate::random;
use crate::rollout::{End, Rollout, Turn};
use crate::traces::Trajectory;
use crate::workshop::Workshop;

/// Starts rolled out together.
pub(super) const BATCH: usize = 64;

/// Names evaluation in the random numbers.
const STREAM: u32 = 4;

/// Something that makes submissions.
pub enum Policy<'a> {
    /// A model, with the sampling of the evaluation's settings.
    Model(&'a Model),
    /// Sends the student's last program again, as often as it may.
    CopyPrevious,
}

impl Policy<'_> {
    /// One rollout from each point.
    pub(super) fn run(&self, workshop: &Workshop, points: &[Point]) -> Result<Vec<Rollout>> {
        match self {
            Policy::Model(model) => run_model(workshop, model, points),
            Policy::CopyPrevious => Ok(points.iter().map(|p| copy(p, workshop.run.evaluate.horizon)).collect()),
        }
    }
}

fn run_model(workshop: &Workshop, model: &Model, points: &[Point]) -> Result<Vec<Rollout>> {
    let run = &workshop.run;
    let settings = &run.evaluate;
    let classroom = workshop.classroom(model, settings.horizon, settings.max_new_tokens, settings.sampling);
    let mut starts = Vec::with_capacity(points.len());
    let mut places = Vec::with_capacity(points.len());
    for (i, point) in points.iter().enumerate() {
        let Trajectory { student, problem, .. } = point.trajectory;
        let learner = random::id(&[student, problem, &point.position.to_string()]);
        let key = RngKey { seed: run.seed, learner, stage: STREAM, ..RngKey::default() };
        if let Some(start) = workshop.start(point.trajectory, point.position, key)? {
            starts.push(start);
            places.push(i);
        }
    }
    // A start that does not fit into the context stays an empty rollout: uncovered, its grade kept.
    let mut rollouts = vec![Rollout { end: Some(End::OutOfTokens), ..Rollout::default() }; points.len()];
    for (group, place) in classroom.run(&starts, 1, &|_, _| {})?.groups.into_iter().zip(places) {
        if let Some(rollout) = group.into_iter().next() {
            rollouts[place] = rollout;
        }
    }
    Ok(rollouts)
}

fn copy(point: &Point, horizon: usize) -> Rollout {
    let Some(last) = point.trajectory.steps.get(point.position.wrapping_sub(1)) else {
        return Rollout { end: Some(End::Malformed), ..Rollout::default() };
    };
    let turn = Turn {
        tokens: Vec::new(),
        log_probs: Vec::new(),
        stopped: true,
        text: last.code.clone(),
        program: Some(last.code.clone()),
        report: Some(last.report.clone()),
        feedback: String::new(),
        reply: Vec::new(),
    };
    Rollout { turns: vec![turn; horizon], end: Some(End::OutOfTurns) }
}

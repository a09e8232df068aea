//! What can be rolled out: a model, a script, a real student beside another, a prompted model behind an HTTP API.

use super::Point;
use super::script::Script;
use super::scripted::Stage;
use crate::error::Result;
use crate::generate::RngKey;
use crate::model::Model;
use crate::random;
use crate::remote::{Beginning, Remote};
use crate::rollout::{End, Rollout};
use crate::traces::Trajectory;
use crate::workshop::Workshop;

/// Rollouts of a model that are made together.
const BATCH: usize = 64;

/// Names evaluation in the random numbers.
const STREAM: u32 = 4;

/// What [`Policy::Real`] is called in tables.
pub const REAL_STUDENT: &str = "REAL_STUDENT";

/// The names of all policies that need no model, in the order of tables.
pub fn baselines() -> Vec<String> {
    Script::BASELINES.into_iter().map(Script::label).chain([REAL_STUDENT.to_string()]).collect()
}

/// Something that makes submissions.
pub enum Policy<'a> {
    /// A model, with the sampling of the evaluation's settings.
    Model(&'a Model),
    /// A script, with the students of a stage.
    Script(Script, &'a Stage<'a>),
    /// A real student beside another: the held-out students are divided in two halves, and each point is played by the nearest
    /// student of the other half. What no model need do better than.
    Real([&'a Stage<'a>; 2]),
    /// A prompted model elsewhere.
    Remote(&'a Remote),
}

/// Which half of the held-out students one belongs to.
pub fn half(seed: u64, student: &str) -> usize {
    usize::from(random::unit(seed, "halves", &[student]) < 0.5)
}

impl Policy<'_> {
    /// Points that are rolled out together, each `samples` times.
    pub(super) fn batch(&self, samples: usize) -> usize {
        if matches!(self, Policy::Remote(_)) { usize::MAX } else { (BATCH / samples).max(1) }
    }

    /// The rollouts from each point, `evaluate.samples` of them (of a remote model one, of a real student as many as there are others).
    /// From a point that a script cannot play, empty ones: uncovered, the grade kept. A real student leaves such a point out.
    /// `progress` is told how many points are done where that is known before the end.
    pub(super) fn run(
        &self,
        workshop: &Workshop,
        points: &[Point],
        progress: &dyn Fn(usize),
    ) -> Result<Vec<Vec<Rollout>>> {
        let samples = workshop.run.evaluate.samples;
        match self {
            Policy::Remote(remote) => {
                let beginnings = points.iter().map(|p| Beginning { trajectory: p.trajectory, position: p.position });
                let beginnings: Vec<Beginning> = beginnings.collect();
                Ok(remote.run(workshop, &beginnings, progress)?.into_iter().map(|rollout| vec![rollout]).collect())
            }
            Policy::Model(model) => run_model(workshop, model, points, samples),
            Policy::Script(script, stage) => {
                let mut groups = vec![Vec::with_capacity(samples); points.len()];
                for sample in 0..samples {
                    for (group, rollout) in groups.iter_mut().zip(stage.play(*script, points, sample)) {
                        group.push(rollout.unwrap_or_default());
                    }
                }
                Ok(groups)
            }
            Policy::Real([first, second]) => {
                let play = |point: &Point| {
                    let other = if half(workshop.run.seed, &point.trajectory.student) == 0 { second } else { first };
                    other.neighbours(point, samples)
                };
                Ok(points.iter().map(play).collect())
            }
        }
    }
}

fn run_model(workshop: &Workshop, model: &Model, points: &[Point], samples: usize) -> Result<Vec<Vec<Rollout>>> {
    let run = &workshop.run;
    let classroom = workshop.evaluation(model);
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
    // From a start that does not fit into the context rollouts stay empty: uncovered, its grade kept.
    let empty = Rollout { end: Some(End::OutOfTokens), ..Rollout::default() };
    let mut groups = vec![vec![empty; samples]; points.len()];
    for (group, place) in classroom.run(&starts, samples, &|_, _| {})?.groups.into_iter().zip(places) {
        groups[place] = group;
    }
    Ok(groups)
}

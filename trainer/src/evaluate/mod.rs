//! Rollouts beside real students: what a policy does from points in held-out trajectories, and the tables of it.
//!
//! Protocol: from each start (after 1, 2, … real submissions of a held-out trajectory) a policy makes up to `horizon`
//! submissions, each answered by the grader; step s stands beside the student's own s-th next submission. Reported are
//! the published coverage and grade proximity, and the joint grade proximity, in which a learner that has stopped keeps
//! its grade, so that nobody improves by dropping out (`novice_rewards::metrics`).
//!
//! Does not give intervals, and does not compare the programs' text.

mod policy;
mod table;

pub use policy::Policy;
pub use table::{Row, Table};

use crate::config::{Run, WeightedReward};
use crate::error::Result;
use crate::random;
use crate::rollout::{Rollout, beside, score};
use crate::traces::{HeldOut, Trajectory};
use crate::workshop::Workshop;
use novice_rewards::metrics::{joint, published};
use novice_rewards::{RewardInput, RewardName, StepView};

/// A point in a held-out trajectory: the policy takes over after `position` real submissions.
#[derive(Debug, Clone, Copy)]
pub struct Point<'a> {
    /// The trajectory.
    pub trajectory: &'a Trajectory,
    /// The part of the split that it belongs to.
    pub cell: &'a str,
    /// Real submissions before the start, at least 1.
    pub position: usize,
}

/// One rollout of one policy from one start.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Where it began.
    pub point: Point<'a>,
    /// What the policy did.
    pub rollout: Rollout,
    /// The trajectory reward of it, 0..=1.
    pub closeness: f64,
}

/// The starts of an evaluation, in a fixed order.
pub fn points<'a>(run: &Run, held_out: &'a [HeldOut]) -> Vec<Point<'a>> {
    let settings = &run.evaluate;
    let order = random::permutation(run.seed, "evaluate", 0, held_out.len());
    let limit = if settings.max_trajectories == 0 { held_out.len() } else { settings.max_trajectories };
    let mut chosen: Vec<usize> = order.into_iter().take(limit).collect();
    chosen.sort_unstable();
    let mut points = Vec::new();
    for held in chosen.into_iter().map(|i| &held_out[i]) {
        let last = held.trajectory.steps.len().saturating_sub(1);
        let wanted = match settings.starts_per_trajectory {
            0 => last,
            n => n.min(last),
        };
        // Spread evenly over 1..=last.
        points.extend((0..wanted).map(|i| Point {
            trajectory: &held.trajectory,
            cell: held.cell.name(),
            position: 1 + i * last / wanted.max(1),
        }));
    }
    points
}

/// Rolls a policy out from every point.
///
/// # Errors
/// When the model or the sandbox fails.
pub fn roll_out<'a>(
    workshop: &Workshop,
    policy: &Policy,
    points: &[Point<'a>],
    progress: &dyn Fn(usize),
) -> Result<Vec<Record<'a>>> {
    let horizon = workshop.run.evaluate.horizon;
    let by_closeness = [WeightedReward { name: RewardName::Trajectory, weight: 1.0 }];
    let mut records = Vec::with_capacity(points.len());
    for batch in points.chunks(policy::BATCH) {
        for (&point, rollout) in batch.iter().zip(policy.run(workshop, batch)?) {
            let closeness = score(point.trajectory, point.position, &rollout, &by_closeness, horizon, 0).total;
            records.push(Record { point, rollout, closeness });
        }
        progress(records.len());
    }
    Ok(records)
}

/// The row of a policy over the records of one cell of the split.
pub fn summarise(policy: &str, cell: &str, records: &[Record], horizon: usize) -> Row {
    let records: Vec<&Record> = records.iter().filter(|r| r.point.cell == cell).collect();
    let mut rows = Vec::new();
    let mut grades: Vec<(f64, Vec<f64>, Vec<f64>)> = Vec::new();
    let mut sums = Sums::default();
    for record in &records {
        let Point { trajectory: real, position, .. } = record.point;
        for (i, student) in real.steps.iter().skip(position).take(horizon).enumerate() {
            let turn = record.rollout.turns.get(i);
            rows.push(published::Row {
                step: i + 1,
                student_code: &student.code,
                model_code: turn.map(|t| t.program.as_deref().unwrap_or(&t.text)),
                student_grade: student.report.grade,
                model_grade: turn.map(|t| t.grade()),
            });
        }
        sums.closeness += record.closeness;
        grades.push(beside(real, position, &record.rollout, horizon, 0, |input| {
            sums.observe(input);
            let of = |views: &[StepView]| views.iter().map(|v| v.grade).collect();
            (input.start.map_or(0.0, |s| s.grade), of(input.rollout), of(input.student))
        }));
    }
    let pairs = grades.iter();
    let pairs: Vec<joint::Pair> =
        pairs.map(|(start_grade, model, student)| joint::Pair { start_grade: *start_grade, model, student }).collect();
    let by_step = joint::grade_proximity(&pairs, horizon, joint::Window::StudentSteps);
    let known: Vec<f64> = by_step.iter().flatten().copied().collect();
    let share = |part: f64, whole: f64| (whole > 0.0).then(|| part / whole);
    let n = records.len() as f64;
    let proximity = published::grade_proximity(&rows, horizon);
    Row {
        policy: policy.to_string(),
        cell: cell.to_string(),
        rollouts: records.len(),
        coverage: published::coverage(&rows, horizon).overall,
        grade_proximity: proximity.overall,
        grade_proximity_by_step: proximity.by_step,
        joint_grade_proximity: share(known.iter().sum(), known.len() as f64),
        closeness: share(sums.closeness, n),
        parses: share(sums.parsing, sums.submissions),
        copies: share(sums.copies, sums.programs),
        solved: share(sums.solved, n),
    }
}

/// Sums over rollouts and their submissions.
#[derive(Default)]
struct Sums {
    submissions: f64,
    parsing: f64,
    programs: f64,
    copies: f64,
    closeness: f64,
    solved: f64,
}

impl Sums {
    fn observe(&mut self, input: &RewardInput) {
        let (all, programs) = (input.rollout.len(), input.rollout.iter().filter(|v| v.program.is_some()).count());
        self.submissions += all as f64;
        self.parsing += all as f64 * joint::parsing_share(input.rollout).unwrap_or(0.0);
        self.programs += programs as f64;
        self.copies +=
            programs as f64 * joint::copy_share(input.start.map(|s| s.program), input.rollout).unwrap_or(0.0);
        self.solved += f64::from(u8::from(joint::solving_turn(input.rollout).is_some()));
    }
}

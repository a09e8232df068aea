//! Rollouts beside real students: what a policy does from points in held-out trajectories, and the tables of it.
//!
//! From each start (after 1, 2, … real submissions of a held-out trajectory) a policy makes up to `horizon` submissions, each answered by
//! the grader; step s stands beside the student's own s-th next submission. What is counted of a rollout is a tally
//! (`novice_rewards::metrics::tally`); every number of the tables is a function of the sum of tallies, with an interval over students.
//!
//! | room | job |
//! |---|---|
//! | `policy` | a model, a script or a remote model, from every start |
//! | `script` | baselines and exploits without a model, by name |
//! | `scripted` | the same, played |
//! | `results` | tallies to numbers: intervals, differences to a reference, corrected p-values |
//! | `shape` | tallies to what charts show by step, and by kind of edit |
//! | `arms` | tallies of several seeds of an arm, pooled and compared |
//! | `table` | numbers to Markdown, CSV, LaTeX |
//! | `audit` | scripts through a reward |

mod arms;
mod audit;
mod policy;
mod results;
mod script;
mod scripted;
mod shape;
mod table;

pub use arms::{Counted, pooled, results_of_arms};
pub use audit::{AuditLine, Played, RewardAudit, audit};
pub use policy::{Policy, REAL_STUDENT, baselines, half};
pub use results::{Line, Results};
pub use script::Script;
pub use scripted::Stage;
pub use shape::{EditShape, Shape, Share, StepShape};

use crate::config::Run;
use crate::error::Result;
use crate::random;
use crate::rollout::{Beside, Rollout};
use crate::traces::{HeldOut, Trajectory};
use crate::workshop::Workshop;
use novice_rewards::metrics::diversity::Memory;
use novice_rewards::metrics::tally::{Tally, grades};
use std::collections::BTreeMap;

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

impl<'a> Point<'a> {
    /// The point as rewards see it, without a limit of tokens.
    pub fn beside(&self, turns: usize) -> Beside<'a> {
        Beside { trajectory: self.trajectory, position: self.position, turns, max_new_tokens: 0 }
    }
}

/// One rollout of one policy from one start.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// Where it began.
    pub point: Point<'a>,
    /// Which of the policy's rollouts from there it is, from 0.
    pub sample: usize,
    /// What the policy did.
    pub rollout: Rollout,
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

/// Rolls a policy out from every point, `evaluate.samples` times.
///
/// # Errors
/// When the model, the sandbox or a server fails.
pub fn roll_out<'a>(
    workshop: &Workshop,
    policy: &Policy,
    points: &[Point<'a>],
    progress: &dyn Fn(usize),
) -> Result<Vec<Record<'a>>> {
    let (mut records, mut done) = (Vec::with_capacity(points.len()), 0);
    for batch in points.chunks(policy.batch(workshop.run.evaluate.samples)) {
        let groups = policy.run(workshop, batch, &|more| progress(done + more))?;
        for (&point, rollouts) in batch.iter().zip(groups) {
            let record = |(sample, rollout)| Record { point, sample, rollout };
            records.extend(rollouts.into_iter().enumerate().map(record));
        }
        done += batch.len();
        progress(done);
    }
    Ok(records)
}

/// The tallies of a policy in one cell of the split, one a student, in the order of their ids.
pub fn tallies<'a>(records: &[Record<'a>], cell: &str, horizon: usize, memory: &Memory) -> BTreeMap<&'a str, Tally> {
    let records: Vec<&Record<'a>> = records.iter().filter(|r| r.point.cell == cell).collect();
    // The grades of all rollouts from a start, by their sample.
    let start = |record: &Record<'a>| {
        let Trajectory { student, problem, .. } = record.point.trajectory;
        (student.as_str(), problem.as_str(), record.point.position)
    };
    let mut curves: BTreeMap<_, BTreeMap<usize, Vec<f64>>> = BTreeMap::new();
    for record in &records {
        let curve = record.point.beside(horizon).look_at(&record.rollout, |input| grades(input.rollout));
        curves.entry(start(record)).or_default().insert(record.sample, curve.unwrap_or_default());
    }
    let tally = |record: &Record<'a>| {
        let mut tally = Tally::new(horizon);
        let all = curves.get(&start(record)).into_iter().flatten();
        let others: Vec<Vec<f64>> = all.filter(|(s, _)| **s != record.sample).map(|(_, curve)| curve.clone()).collect();
        record.point.beside(horizon).look_at(&record.rollout, |input| tally.observe(input, memory, &others));
        tally
    };
    // Trees and flows of two programs take milliseconds; rollouts are counted on all cores.
    let threads = crate::workshop::threads(0).min(records.len()).max(1);
    let share = records.len().div_ceil(threads).max(1);
    let counted: Vec<Tally> = std::thread::scope(|scope| {
        let counting: Vec<_> = records
            .chunks(share)
            .map(|records| scope.spawn(move || records.iter().map(|record| tally(record)).collect::<Vec<_>>()))
            .collect();
        counting.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let mut students: BTreeMap<&str, Tally> = BTreeMap::new();
    for (record, tally) in records.iter().zip(&counted) {
        let student = record.point.trajectory.student.as_str();
        students.entry(student).or_insert_with(|| Tally::new(horizon)).add(tally, 1.0);
    }
    students
}

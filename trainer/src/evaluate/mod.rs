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

use crate::config::Run;
use crate::error::Result;
use crate::generate::RngKey;
use crate::rollout::{Rollout, passed, rollout_views, student_views};
use crate::traces::{HeldOut, Trajectory};
use crate::workshop::Workshop;
use novice_rewards::metrics::{joint, published};
use novice_rewards::{RewardInput, Start, trajectory};
use serde::Serialize;

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
}

/// The starts of an evaluation, in a fixed order.
pub fn points<'a>(run: &Run, held_out: &'a [HeldOut]) -> Vec<Point<'a>> {
    let settings = &run.evaluate;
    let order = RngKey::new(run.seed, "evaluate").permutation(held_out.len());
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
            cell: held.cell.as_str(),
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
    let mut records = Vec::with_capacity(points.len());
    for batch in points.chunks(policy::BATCH) {
        let rollouts = policy.run(workshop, batch)?;
        records.extend(batch.iter().zip(rollouts).map(|(&point, rollout)| Record { point, rollout }));
        progress(records.len());
    }
    Ok(records)
}

/// The row of a policy over the records of one cell of the split.
pub fn summarise(policy: &str, cell: &str, records: &[Record], horizon: usize) -> Row {
    let records: Vec<&Record> = records.iter().filter(|r| r.point.cell == cell).collect();
    let mut rows = Vec::new();
    let mut grades: Vec<(f64, Vec<f64>, Vec<f64>)> = Vec::new();
    let (mut parsing, mut submissions, mut copies, mut compared) = (0.0, 0.0, 0.0, 0.0);
    let (mut closeness, mut solved) = (0.0, 0.0);
    for record in &records {
        let Point { trajectory: real, position, .. } = record.point;
        let (before, after) = real.steps.split_at(position.min(real.steps.len()));
        let after = &after[..after.len().min(horizon)];
        for (i, student) in after.iter().enumerate() {
            let turn = record.rollout.turns.get(i);
            rows.push(published::Row {
                step: i + 1,
                student_code: &student.code,
                model_code: turn.map(|t| t.program.as_deref().unwrap_or(&t.text)),
                student_grade: student.report.grade,
                model_grade: turn.map(|t| t.grade()),
            });
        }
        let ours_flags: Vec<Vec<bool>> =
            record.rollout.turns.iter().map(|t| t.report.as_ref().map(|r| passed(r)).unwrap_or_default()).collect();
        let theirs_flags: Vec<Vec<bool>> = after.iter().map(|s| passed(&s.report)).collect();
        let ours = rollout_views(&record.rollout, &ours_flags);
        let theirs = student_views(after, &theirs_flags);
        let start_flags = before.last().map(|s| passed(&s.report)).unwrap_or_default();
        let start = before.last().map(|s| Start { program: &s.code, grade: s.report.grade, passed: &start_flags });
        let n = ours.len() as f64;
        submissions += n;
        parsing += n * joint::parsing_share(&ours).unwrap_or(0.0);
        let programs = ours.iter().filter(|v| v.program.is_some()).count() as f64;
        compared += programs;
        copies += programs * joint::copy_share(start.map(|s| s.program), &ours).unwrap_or(0.0);
        let input = RewardInput { start, rollout: &ours, student: &theirs, max_turns: horizon, max_new_tokens: 0 };
        closeness += trajectory::trajectory(&input).total;
        solved += f64::from(u8::from(joint::solving_turn(&ours).is_some()));
        grades.push((
            start.map_or(0.0, |s| s.grade),
            ours.iter().map(|v| v.grade).collect(),
            theirs.iter().map(|v| v.grade).collect(),
        ));
    }
    let pairs: Vec<joint::Pair> =
        grades.iter().map(|(start_grade, model, student)| joint::Pair { start_grade: *start_grade, model, student }).collect();
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
        closeness: share(closeness, n),
        parses: share(parsing, submissions),
        copies: share(copies, compared),
        solved: share(solved, n),
    }
}

/// A rollout as one line of JSON, beside what the student did.
#[derive(Serialize)]
pub struct RecordLine<'a> {
    policy: &'a str,
    cell: &'a str,
    student: &'a str,
    problem: &'a str,
    start: usize,
    end: Option<crate::rollout::End>,
    turns: Vec<TurnLine<'a>>,
    real_grades: Vec<f64>,
}

#[derive(Serialize)]
struct TurnLine<'a> {
    text: &'a str,
    grade: Option<f64>,
    verdict: Option<&'a str>,
    feedback: &'a str,
}

impl<'a> RecordLine<'a> {
    /// The line of a record.
    pub fn new(policy: &'a str, record: &'a Record<'a>, horizon: usize) -> Self {
        let Point { trajectory, cell, position } = record.point;
        let turns = record.rollout.turns.iter();
        RecordLine {
            policy,
            cell,
            student: &trajectory.student,
            problem: &trajectory.problem,
            start: position,
            end: record.rollout.end,
            turns: turns
                .map(|t| TurnLine {
                    text: &t.text,
                    grade: t.report.as_ref().map(|r| r.grade),
                    verdict: t.report.as_ref().map(|r| r.verdict.as_str()),
                    feedback: &t.feedback,
                })
                .collect(),
            real_grades: trajectory.steps.iter().skip(position).take(horizon).map(|s| s.report.grade).collect(),
        }
    }
}

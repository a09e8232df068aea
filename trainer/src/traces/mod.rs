//! Submission logs of any source, in one form: read, put in order, graded in the sandbox, filtered, split, counted.
//!
//! | room | job |
//! |---|---|
//! | `native` | the project's own JSON lines |
//! | `synthetic` | learners made up from correct solutions |
//! | `submission` | rows, and their order |
//! | `grade` | every submission through the sandbox |
//! | `filters`, `audit` | what is kept; what was dropped and why |
//! | `split` | training and held-out trajectories |
//! | `statistics` | what the data looks like |
//! | `pairs` | which submissions preference training compares |

mod audit;
mod filters;
mod grade;
#[cfg(test)]
mod loading;
mod native;
mod pairs;
mod split;
mod statistics;
mod step;
mod submission;
mod synthetic;
mod table;
#[cfg(test)]
pub(crate) mod testing;
mod time;

pub use audit::{Agreement, Audit, AuditRow};
pub use native::{parse, read};
pub use pairs::{Pair, pairs};
pub use split::{Cell, HeldOut, split};
pub use statistics::{SplitStatistics, Statistics};
pub use step::{GRADE_TOLERANCE, Step, Trajectory};
pub use submission::{Log, Submission};
pub use time::Moment;

use crate::config::{DataSettings, Source};
use crate::error::{Error, Result};
use novice_sandbox::{Course, Pool};
use synthetic::SyntheticProblem;

/// Everything that a run needs to know about its data.
#[derive(Debug)]
pub struct Dataset {
    /// What is trained on, sorted by student and problem.
    pub train: Vec<Trajectory>,
    /// What is not, in the same order, each with what is new about it.
    pub held_out: Vec<HeldOut>,
    /// What became of every row that was read.
    pub audit: Audit,
    /// What the splits look like.
    pub statistics: Statistics,
}

/// Reads (or synthesises), grades, filters, splits and counts. `progress(done, total)` counts graded programs.
///
/// # Errors
/// [`Error::Config`] when the settings name no file; [`Error::Io`] and [`Error::Data`] when the file cannot be used;
/// [`Error::Usage`] when its problems are not in the course or nothing is left to train on.
pub fn load(
    settings: &DataSettings,
    course: &Course,
    pool: &Pool,
    seed: u64,
    progress: &dyn Fn(usize, usize),
) -> Result<Dataset> {
    let (what, rows) = rows(settings, course, seed)?;
    prepare(settings, &what, rows, course, pool, seed, progress)
}

fn rows(settings: &DataSettings, course: &Course, seed: u64) -> Result<(String, Vec<Submission>)> {
    match settings.source {
        Source::Native => {
            let path = settings.traces.as_deref().ok_or_else(|| {
                let what = "data.traces: missing; `source: native` needs a file of submissions (JSON lines)";
                Error::Config(what.into())
            })?;
            Ok((format!("(rows of {})", path.display()), read(path)?))
        }
        Source::Synthetic => Ok(("(synthetic learners)".into(), synthetic_rows(settings, course, seed)?)),
    }
}

/// The log of learners who were made up from the course's solutions.
fn synthetic_rows(settings: &DataSettings, course: &Course, seed: u64) -> Result<Vec<Submission>> {
    let problems: Vec<SyntheticProblem> =
        course.problems.iter().map(|p| SyntheticProblem { id: p.id.clone(), solutions: p.solutions.clone() }).collect();
    let attempts = synthetic::synthesise(&problems, &settings.synthetic, seed).into_iter();
    let rows: Vec<Submission> = attempts
        .map(|a| Submission {
            student: a.student,
            problem: a.problem,
            attempt: u32::try_from(a.attempt).unwrap_or(u32::MAX),
            time: None,
            code: a.code,
            grade: None,
            tests: None,
            feedback: None,
        })
        .collect();
    if rows.is_empty() {
        let what = "`source: synthetic` needs problems with `solutions` in the course, and at least one learner";
        return Err(Error::Usage(what.into()));
    }
    Ok(rows)
}

fn prepare(
    settings: &DataSettings,
    what: &str,
    rows: Vec<Submission>,
    course: &Course,
    pool: &Pool,
    seed: u64,
    progress: &dyn Fn(usize, usize),
) -> Result<Dataset> {
    let mut audit = Audit::default();
    let (logs, order) = submission::collect(rows);
    audit.start(what, &logs, order.repeated_rows);
    audit.shared_attempts = order.shared_attempts;
    audit.disagreeing_order = order.disagreeing_logs;
    grade::check_problems(&logs, course)?;
    let logs = filters::before_grading(logs, &settings.filters, &mut audit);
    let trajectories = grade::grade(logs, course, pool, progress)?;
    let trajectories = filters::after_grading(trajectories, &settings.filters, &mut audit);
    if trajectories.is_empty() {
        return Err(Error::Usage(format!("the filters leave no trajectory:\n{}", audit.render())));
    }
    let (train, held_out) = split(trajectories, &settings.split, seed)?;
    let statistics = Statistics::of(&train, &held_out);
    Ok(Dataset { train, held_out, audit, statistics })
}

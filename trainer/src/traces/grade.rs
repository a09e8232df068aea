//! Grades every submission of the logs in the sandbox. Equal programs for equal problems are graded once: grading is
//! deterministic.

use super::step::{Step, Trajectory};
use super::submission::Log;
use crate::error::{Error, Result};
use novice_sandbox::{Course, Pool, Problem, Report};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

/// Submissions that are handed to the pool before the first answer is waited for.
const IN_FLIGHT: usize = 64;

/// Problems of a course by id.
pub fn by_id(course: &Course) -> HashMap<&str, &Arc<Problem>> {
    course.problems.iter().map(|p| (p.id.as_str(), p)).collect()
}

/// Checks that the course has every problem of the logs.
///
/// # Errors
/// [`Error::Usage`] lists the ids that it lacks, with the number of submissions and the nearest id that it has.
pub fn check_problems(logs: &[Log], course: &Course) -> Result<()> {
    let known = by_id(course);
    let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
    for log in logs.iter().filter(|l| !known.contains_key(l.problem.as_str())) {
        *unknown.entry(&log.problem).or_default() += log.rows.len();
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let count = unknown.len();
    let mut message =
        format!("{count} problems of the traces are not in the course; add them, or leave out their rows:");
    for (id, rows) in unknown.into_iter().take(super::native::SHOWN) {
        let near = course.problems.iter().map(|p| (strsim::normalized_damerau_levenshtein(&p.id, id), p.id.as_str()));
        let near = near.filter(|(score, _)| *score > 0.6).max_by(|a, b| a.0.total_cmp(&b.0));
        let hint = near.map(|(_, id)| format!("; did you mean `{id}`?")).unwrap_or_default();
        message.push_str(&format!("\n  `{id}` (rows: {rows}){hint}"));
    }
    if count > super::native::SHOWN {
        message.push_str(&format!("\n  … and {} more", count - super::native::SHOWN));
    }
    Err(Error::Usage(message))
}

/// Grades all rows of all logs. `progress(done, total)` counts programs that have to be run.
///
/// # Errors
/// As [`check_problems`].
pub fn grade(logs: Vec<Log>, course: &Course, pool: &Pool, progress: &dyn Fn(usize, usize)) -> Result<Vec<Trajectory>> {
    check_problems(&logs, course)?;
    let problems = by_id(course);
    let mut index: HashMap<(&str, &str), usize> = HashMap::new();
    let mut work: Vec<(&Arc<Problem>, &str)> = Vec::new();
    for row in logs.iter().flat_map(|l| &l.rows) {
        let Some(problem) = problems.get(row.problem.as_str()) else { continue };
        index.entry((&row.problem, &row.code)).or_insert_with(|| {
            work.push((problem, &row.code));
            work.len() - 1
        });
    }
    let reports = run(&work, pool, progress);
    let mut graded: Vec<Vec<Report>> = Vec::with_capacity(logs.len());
    for log in &logs {
        let report = |code: &str| index.get(&(log.problem.as_str(), code)).and_then(|&i| reports.get(i)).cloned();
        graded.push(log.rows.iter().filter_map(|row| report(&row.code)).collect());
    }
    Ok(logs.into_iter().zip(graded).map(|(log, reports)| trajectory(log, reports)).collect())
}

fn run(work: &[(&Arc<Problem>, &str)], pool: &Pool, progress: &dyn Fn(usize, usize)) -> Vec<Report> {
    let mut reports = Vec::with_capacity(work.len());
    let mut waiting = VecDeque::with_capacity(IN_FLIGHT);
    let mut todo = work.iter();
    loop {
        while waiting.len() < IN_FLIGHT {
            let Some((problem, code)) = todo.next() else { break };
            waiting.push_back(pool.submit(Arc::clone(problem), code.to_string()));
        }
        let Some(ticket) = waiting.pop_front() else { return reports };
        reports.push(ticket.wait());
        progress(reports.len(), work.len());
    }
}

fn trajectory(log: Log, reports: Vec<Report>) -> Trajectory {
    let steps = log.rows.into_iter().zip(reports).map(|(row, report)| Step {
        code: row.code,
        report,
        recorded_grade: row.grade,
        attempt: row.attempt,
        time: row.time,
    });
    Trajectory { student: log.student, problem: log.problem, steps: steps.collect(), cut: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::course;

    fn log(problem: &str, rows: usize) -> Log {
        let row = |i: usize| super::super::Submission {
            student: "s".into(),
            problem: problem.into(),
            attempt: i as u32,
            time: None,
            code: "x = 1".into(),
            grade: None,
            tests: None,
            feedback: None,
        };
        Log { student: "s".into(), problem: problem.into(), rows: (0..rows).map(row).collect() }
    }

    #[test]
    fn unknown_problems_are_listed_with_what_may_be_meant() {
        let course = course(&[("fizzbuzz", "a", ""), ("total", "b", "")]);
        assert!(check_problems(&[log("total", 1)], &course).is_ok());
        let logs = [log("fizbuzz", 3), log("total", 1), log("zzz", 2), log("fizbuzz", 1)];
        let e = check_problems(&logs, &course).unwrap_err().to_string();
        insta::assert_snapshot!(e, @r"
        2 problems of the traces are not in the course; add them, or leave out their rows:
          `fizbuzz` (rows: 4); did you mean `fizzbuzz`?
          `zzz` (rows: 2)
        ");
    }
}

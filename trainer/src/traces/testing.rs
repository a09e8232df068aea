//! Trajectories made by hand, for the tests of this crate.

use super::{Step, Trajectory};
use novice_sandbox::{Course, Engine, EngineOptions, Outcome, Pool, Problem, Report, TestReport};
use std::sync::{Arc, LazyLock};

/// A report with this grade, over two tests.
pub(crate) fn report(grade: f64) -> Report {
    let outcome = |passed: bool| if passed { Outcome::Passed } else { Outcome::WrongAnswer };
    let tests = [grade >= 50.0, grade >= 100.0].into_iter().enumerate().map(|(i, passed)| TestReport {
        name: format!("test {}", i + 1),
        outcome: outcome(passed),
        message: String::new(),
        trace: String::new(),
        output: String::new(),
        earned: f64::from(u8::from(passed)),
        possible: 1.0,
        weight: 1.0,
        hidden: false,
    });
    let verdict = outcome(grade >= 100.0);
    Report { grade, verdict, tests: tests.collect(), stdout_bytes: 0, instructions: 0 }
}

/// A trajectory of (program, grade).
pub(crate) fn trajectory(student: &str, problem: &str, steps: &[(&str, f64)]) -> Trajectory {
    let steps = steps.iter().enumerate().map(|(i, (code, grade))| Step {
        code: code.to_string(),
        report: report(*grade),
        recorded_grade: Some(*grade),
        attempt: i as u32 + 1,
        time: None,
    });
    Trajectory { student: student.into(), problem: problem.into(), steps: steps.collect(), cut: false }
}

/// A trajectory with these grades, each program another one.
pub(crate) fn graded(grades: &[f64]) -> Trajectory {
    let codes: Vec<String> = (0..grades.len()).map(|i| format!("print({i})")).collect();
    let steps: Vec<(&str, f64)> = codes.iter().map(String::as_str).zip(grades.iter().copied()).collect();
    trajectory("s", "p", &steps)
}

/// A problem with this statement, one test that passes for `x = 1`, and further fields as JSON.
pub(crate) fn problem(id: &str, statement: &str, fields: &str) -> Arc<Problem> {
    course(&[(id, statement, fields)]).problems.remove(0)
}

/// A course of such problems.
pub(crate) fn course(problems: &[(&str, &str, &str)]) -> Course {
    let problems: Vec<String> = problems.iter().map(|(id, statement, fields)| {
        let comma = if fields.is_empty() { "" } else { ", " };
        let statement = serde_json::Value::from(*statement);
        format!(
            r#"{{"id": "{id}", "statement": {statement}, "tests": [{{"call": "x", "expect": "1"}}]{comma}{fields}}}"#
        )
    }).collect();
    // JSON is YAML.
    let text = format!(r#"{{"name": "test", "problems": [{}]}}"#, problems.join(", "));
    Course::from_yaml(&text, "test").unwrap()
}

/// A grading pool for all tests of the process.
pub(crate) fn pool() -> &'static Pool {
    static POOL: LazyLock<Pool> =
        LazyLock::new(|| Pool::new(Engine::open(&EngineOptions::default()).unwrap(), 2).unwrap());
    &POOL
}

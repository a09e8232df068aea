//! What grading a submission gives.

mod feedback;
mod visible;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

pub use feedback::FeedbackLevel;
pub(crate) use visible::visible;

/// The result of one submission. Equal inputs give equal reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// 0 to 100: the weighted mean of the tests' shares of points. Never rounded.
    pub grade: f64,
    /// The worst outcome of all tests.
    pub verdict: Outcome,
    /// In the order of the problem.
    pub tests: Vec<TestReport>,
    /// Bytes that the program printed, in all runs together.
    pub stdout_bytes: u64,
    /// Instructions (fuel) that the submission's instance used.
    pub instructions: u64,
}

/// The result of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// The test's name, its call, or `test n`.
    pub name: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What was expected and what came, or the last line of the trace. Empty when passed or hidden.
    pub message: String,
    /// The submission's own frames, when an exception ended it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub trace: String,
    /// What the test script printed, for tests of kind `script`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// Points earned, 0 to `possible` (above it when a script gives more).
    pub earned: f64,
    /// Points that count as all.
    pub possible: f64,
    /// Share of the grade, relative to the other tests.
    pub weight: f64,
    /// Whether message, trace and output are withheld.
    pub hidden: bool,
}

impl Report {
    /// Put tests together.
    pub(crate) fn new(tests: Vec<TestReport>, stdout_bytes: u64, instructions: u64) -> Report {
        let total: f64 = tests.iter().map(|test| test.weight).sum();
        let earned: f64 = tests.iter().map(|test| test.weight * test.percent()).sum();
        let grade = if tests.iter().all(|test| test.outcome == Outcome::Passed) {
            100.0 // weights such as 0.1 must not make it 99.99999999999999
        } else if total > 0.0 {
            earned / total
        } else {
            0.0
        };
        let verdict = tests.iter().map(|test| test.outcome).max().unwrap_or(Outcome::Passed);
        Report { grade, verdict, tests, stdout_bytes, instructions }
    }

    /// The grade as the published grader rounds it ([`crate::Deviation::TruncatedGrades`]).
    pub(crate) fn truncated(mut self) -> Report {
        self.grade = (self.grade / 100.0 * 100.0).trunc();
        self
    }

    /// How many tests passed.
    pub fn passed(&self) -> usize {
        self.tests.iter().filter(|test| test.outcome == Outcome::Passed).count()
    }

    /// The object that `novice grade` writes for a submission, with the feedback of `level`.
    pub fn to_json(&self, id: serde_json::Value, problem: &str, level: FeedbackLevel) -> serde_json::Value {
        serde_json::to_value(GradeLine::new(self, id, problem, level)).unwrap_or_default()
    }
}

impl TestReport {
    /// Points as a percentage, 0 to 100.
    pub fn percent(&self) -> f64 {
        (100.0 * self.earned / self.possible).clamp(0.0, 100.0)
    }
}

/// One line that `novice grade` writes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GradeLine<'r> {
    /// The line's own id, given back.
    pub id: serde_json::Value,
    /// The problem's id.
    pub problem: &'r str,
    /// See [`Report::grade`].
    pub grade: f64,
    /// See [`Report::verdict`].
    pub verdict: Outcome,
    /// Name, outcome and message of each test.
    pub tests: Vec<TestLine<'r>>,
    /// The text that a learner is shown.
    pub feedback: String,
    /// See [`Report::stdout_bytes`].
    pub stdout_bytes: u64,
    /// See [`Report::instructions`].
    pub instructions: u64,
}

/// A test within a [`GradeLine`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TestLine<'r> {
    /// See [`TestReport::name`].
    pub name: &'r str,
    /// See [`TestReport::outcome`].
    pub outcome: Outcome,
    /// See [`TestReport::message`].
    pub message: &'r str,
}

impl<'r> GradeLine<'r> {
    /// The line for a report.
    pub fn new(report: &'r Report, id: serde_json::Value, problem: &'r str, level: FeedbackLevel) -> GradeLine<'r> {
        let tests =
            report.tests.iter().map(|t| TestLine { name: &t.name, outcome: t.outcome, message: &t.message }).collect();
        GradeLine {
            id,
            problem,
            grade: report.grade,
            verdict: report.verdict,
            tests,
            feedback: report.feedback(level),
            stdout_bytes: report.stdout_bytes,
            instructions: report.instructions,
        }
    }
}

/// A number as people write it: at most one decimal where that is exact enough, no `.0`.
pub(crate) fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_string)
}

#[cfg(test)]
mod tests;

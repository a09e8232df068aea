//! [`Trajectory`]: what one student handed in for one problem, in order, each submission graded in the sandbox.

use super::time::Moment;
use novice_rewards::view::SOLVED;
use novice_sandbox::{Outcome, Report};

/// One graded submission of a real (or synthetic) student.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The program, byte for byte.
    pub code: String,
    /// What the sandbox says: grade, outcome of each test, feedback at any level.
    pub report: Report,
    /// The grade at the time, if the log has one.
    pub recorded_grade: Option<f64>,
    /// The attempt's number in the log.
    pub attempt: u32,
    /// When, if the log says so.
    pub time: Option<Moment>,
}

impl Step {
    /// The sandbox's grade, in 0..=100, unrounded.
    pub fn grade(&self) -> f64 {
        self.report.grade
    }

    /// Whether it has full marks.
    pub fn solved(&self) -> bool {
        self.grade() >= SOLVED
    }

    /// Which tests passed, in the problem's order.
    pub fn passed(&self) -> Vec<bool> {
        self.report.tests.iter().map(|t| t.outcome == Outcome::Passed).collect()
    }

    /// Whether the recorded grade is another one than the sandbox's, by more than [`GRADE_TOLERANCE`]. A submission without a
    /// recorded grade never disagrees.
    pub fn disagrees(&self) -> bool {
        self.recorded_grade.is_some_and(|g| (g - self.grade()).abs() > GRADE_TOLERANCE)
    }
}

/// Recorded grades are often rounded to one decimal: a difference up to this is none.
pub const GRADE_TOLERANCE: f64 = 0.05 + 1e-9;

/// One student's way through one problem. Never empty once it has left this room.
#[derive(Debug, Clone, PartialEq)]
pub struct Trajectory {
    /// The student's id.
    pub student: String,
    /// The problem's id.
    pub problem: String,
    /// The submissions, oldest first.
    pub steps: Vec<Step>,
    /// Whether a filter took away what came after the last of them.
    pub cut: bool,
}

impl Trajectory {
    /// Whether the last submission has full marks.
    pub fn solved(&self) -> bool {
        self.steps.last().is_some_and(Step::solved)
    }

    /// Whether the student stopped without having solved the problem.
    pub fn gave_up(&self) -> bool {
        !self.steps.is_empty() && !self.solved() && !self.cut
    }

    /// The grades, in order.
    pub fn grades(&self) -> Vec<f64> {
        self.steps.iter().map(Step::grade).collect()
    }
}

/// The names that a log may use for outcomes, from best to worst.
pub(super) fn outcome_names() -> Vec<&'static str> {
    Outcome::ALL.iter().map(|o| o.name()).collect()
}

/// Whether `name` is such a name.
pub(super) fn is_outcome(name: &str) -> bool {
    Outcome::ALL.iter().any(|o| o.name() == name)
}

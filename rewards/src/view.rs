//! The plain data that every reward takes: what a grader saw of one submission.
//!
//! These types borrow and hold no more than the rewards need. They do not say how a program was run.

/// A grade at or above this counts as solved. The tolerance absorbs sums of unrounded test weights.
pub const SOLVED: f64 = 100.0 - 1e-6;

/// One graded submission, simulated or real.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepView<'a> {
    /// The submitted program; `None` when the turn held no program at all (a malformed turn).
    pub program: Option<&'a str>,
    /// Whether Python accepts the program (the grader's word, not recomputed here).
    pub parses: bool,
    /// Grade in 0..=100, unrounded.
    pub grade: f64,
    /// Outcome of each test, in the problem's order. May be empty when the tests could not be run.
    pub passed: &'a [bool],
    /// Tokens of the turn that holds the program, the stop token included. 0 for real students.
    pub tokens: usize,
    /// Whether the turn was cut off by the token limit.
    pub truncated: bool,
    /// Whether running the program raised an uncaught exception in some test.
    pub raised: bool,
}

impl<'a> StepView<'a> {
    /// A program that ran to its end with this grade, of whose tests and tokens nothing is said.
    pub fn ran(program: &'a str, grade: f64) -> Self {
        StepView {
            program: Some(program),
            parses: true,
            grade,
            passed: &[],
            tokens: 0,
            truncated: false,
            raised: false,
        }
    }

    /// Whether the submission has full marks.
    pub fn solved(&self) -> bool {
        self.grade >= SOLVED
    }

    /// The coarse class of what happened: the four things a learner can tell apart at a glance.
    pub fn status(&self) -> Status {
        match self.program {
            None => Status::Malformed,
            Some(_) if !self.parses => Status::DoesNotParse,
            Some(_) if self.raised => Status::Raised,
            Some(_) => Status::Ran,
        }
    }
}

/// The coarse class of a submission's run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// The turn held no program.
    Malformed,
    /// Python refused the program.
    DoesNotParse,
    /// The program ran and raised.
    Raised,
    /// The program ran to its end, right or wrong.
    Ran,
}

/// The last real submission before the rollout began. Absent when the learner starts from nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Start<'a> {
    /// The program.
    pub program: &'a str,
    /// Its grade in 0..=100.
    pub grade: f64,
    /// Outcome of each test, in the problem's order.
    pub passed: &'a [bool],
}

/// Everything a reward may look at: one rollout beside the real student's own continuation from the same start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RewardInput<'a> {
    /// The last real submission before both continuations.
    pub start: Option<Start<'a>>,
    /// The simulated submissions, in order.
    pub rollout: &'a [StepView<'a>],
    /// What the real student submitted after `start`, in order, as far as it is known.
    pub student: &'a [StepView<'a>],
    /// The most turns the rollout was allowed; later submissions of the student are out of sight. 0 means no limit.
    pub max_turns: usize,
    /// The most tokens a turn was allowed, for length penalties. 0 means no limit.
    pub max_new_tokens: usize,
}

impl<'a> RewardInput<'a> {
    /// The student's submissions inside the rollout's window of turns.
    pub fn student_in_window(&self) -> &'a [StepView<'a>] {
        match self.max_turns {
            0 => self.student,
            limit => self.student.get(..limit).unwrap_or(self.student),
        }
    }
}

/// A grade made safe for arithmetic: not-a-number counts as 0, the rest is clamped to 0..=100.
pub fn clean_grade(grade: f64) -> f64 {
    if grade.is_nan() { 0.0 } else { grade.clamp(0.0, 100.0) }
}

/// Closeness of two grades, `1 - |a - b| / 100`, in 0..=1.
pub fn grade_closeness(a: f64, b: f64) -> f64 {
    1.0 - (clean_grade(a) - clean_grade(b)).abs() / 100.0
}

/// The outcome of test `index`; a test that was not run counts as failed.
pub fn outcome(passed: &[bool], index: usize) -> bool {
    passed.get(index).copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grades_are_made_safe() {
        assert_eq!(clean_grade(f64::NAN), 0.0);
        assert_eq!(clean_grade(140.0), 100.0);
        assert_eq!(grade_closeness(30.0, 80.0), 0.5);
        assert_eq!(grade_closeness(f64::NAN, 0.0), 1.0);
    }

    #[test]
    fn status_ladder() {
        let ran = StepView::ran("x = 1", 0.0);
        assert_eq!(ran.status(), Status::Ran);
        assert_eq!(StepView { raised: true, ..ran }.status(), Status::Raised);
        assert_eq!(StepView { parses: false, raised: true, ..ran }.status(), Status::DoesNotParse);
        assert_eq!(StepView { program: None, parses: false, ..ran }.status(), Status::Malformed);
    }
}

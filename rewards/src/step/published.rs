//! The published single-step reward, defects included. Source: published `GRPO.py:483-572`, `execution.py:223`.

use super::{StepInput, length_penalty};
use crate::python::published_normal_form;

/// Which rung of the published ladder a submission stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// No program in the turn: -1.
    Malformed,
    /// The program does not parse: -0.5 (the paper says -1, the code -0.5).
    DoesNotParse,
    /// Running the program raised: 0.
    Raised,
    /// Equal to the student's next program under the published normaliser: +2.
    Exact,
    /// Same grade as the student's next submission: +1.
    SameGrade,
    /// None of these: 0.
    Other,
}

impl Tier {
    /// The rung's base reward.
    pub fn base(self) -> f64 {
        match self {
            Tier::Malformed => -1.0,
            Tier::DoesNotParse => -0.5,
            Tier::Raised | Tier::Other => 0.0,
            Tier::Exact => 2.0,
            Tier::SameGrade => 1.0,
        }
    }
}

/// The published reward and its parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PublishedStep {
    /// The rung reached.
    pub tier: Tier,
    /// The rung's base reward.
    pub base: f64,
    /// `0.5 · length_penalty`, in -0.5..=0.
    pub length: f64,
    /// `max(base + length, -0.75)`, in -0.75..=2.
    pub total: f64,
}

/// The lowest published reward.
const FLOOR: f64 = -0.75;
/// Two grades closer than this are the same.
const SAME_GRADE: f64 = 1e-6;

/// The published reward of one submission, in -0.75..=2: `max(base(tier) + 0.5 · length_penalty, -0.75)`.
///
/// Known defects, kept: the previous program is not looked at, so sending it again earns +1 whenever the student's grade
/// did not change; the simulated grade is cut to an integer by `int(score / 100 · 100)` (29, 57 and 58 lose a point, fractions are
/// lost) while the student's is not, so fractional grades never match; the exact match forgives swapped builtins and
/// renamed functions; there is no partial credit.
pub fn published_step(input: &StepInput) -> PublishedStep {
    let tier = tier(input);
    let base = tier.base();
    let length = 0.5 * length_penalty(input.rollout.tokens, input.max_new_tokens);
    PublishedStep { tier, base, length, total: (base + length).max(FLOOR) }
}

/// The reward as the paper prints it, in -1.5..=2: -1 for a program that does not parse, and no floor.
pub fn published_step_printed(input: &StepInput) -> PublishedStep {
    let released = published_step(input);
    let base = if released.tier == Tier::DoesNotParse { -1.0 } else { released.base };
    PublishedStep { base, total: base + released.length, ..released }
}

fn tier(input: &StepInput) -> Tier {
    let Some(program) = input.rollout.program else { return Tier::Malformed };
    if !input.rollout.parses {
        return Tier::DoesNotParse;
    }
    if input.rollout.raised {
        return Tier::Raised;
    }
    if input.student.program.is_some_and(|next| published_normal_form(next) == published_normal_form(program)) {
        return Tier::Exact;
    }
    if (integer_grade(input.rollout.grade) - input.student.grade).abs() < SAME_GRADE {
        Tier::SameGrade
    } else {
        Tier::Other
    }
}

/// The published grade arithmetic: scaled down and up again, then cut to an integer.
fn integer_grade(grade: f64) -> f64 {
    (grade / 100.0 * 100.0).trunc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Start, StepView};

    fn view(program: &str, grade: f64) -> StepView<'_> {
        StepView {
            program: Some(program),
            parses: true,
            grade,
            passed: &[],
            tokens: 10,
            truncated: false,
            raised: false,
        }
    }

    fn total(rollout: StepView, student: StepView) -> f64 {
        let before = Some(Start { program: "x = 0", grade: 0.0, passed: &[] });
        let input =
            StepInput { rollout_before: before, student_before: before, rollout, student, max_new_tokens: 1024 };
        published_step(&input).total
    }

    #[test]
    fn ladder() {
        let student = view("print(1)", 50.0);
        assert_eq!(total(StepView { program: None, ..view("", 0.0) }, student), -0.75);
        assert_eq!(total(StepView { parses: false, ..view("print(", 0.0) }, student), -0.5);
        assert_eq!(total(StepView { raised: true, ..view("print(1)", 50.0) }, student), 0.0);
        assert_eq!(total(view("print( 1 )", 0.0), student), 2.0);
        assert_eq!(total(view("print(2)", 50.0), student), 1.0);
        assert_eq!(total(view("print(2)", 51.0), student), 0.0);
    }

    #[test]
    fn length_ramp_and_floor() {
        let student = view("print(1)", 50.0);
        let long = |tokens| StepView { tokens, ..view("print(1)", 50.0) };
        assert_eq!(total(long(875), student), 2.0);
        assert_eq!(total(long(972), student), 1.5);
        assert_eq!(total(long(4000), student), 1.5);
        assert_eq!(total(StepView { parses: false, tokens: 1000, ..view("p(", 0.0) }, student), -0.75);
    }

    #[test]
    fn defects_are_reproduced() {
        // Copying the previous program earns the plateau's +1.
        assert_eq!(total(view("x = 0", 0.0), view("y = 3 + 4", 0.0)), 1.0);
        // 29 becomes 28, and a fraction can never match.
        assert_eq!(integer_grade(29.0), 28.0);
        assert_eq!(integer_grade(57.0), 56.0);
        assert_eq!(integer_grade(58.0), 57.0);
        assert_eq!(total(view("a(1)", 200.0 / 3.0), view("b(2)", 200.0 / 3.0)), 0.0);
        // A swapped builtin is an exact match.
        assert_eq!(total(view("print(max(a))", 0.0), view("print(min(a))", 100.0)), 2.0);
    }
}

//! The single-step reward, repaired.
//!
//! What differs from the published form, and why:
//!
//! * Copying the previous program earns nothing unless the student did so too. On a plateau the published reward pays for it.
//! * Agreement is counted test by test and as closeness of unrounded grades, so near misses earn partial credit. Tests whose
//!   outcome the student's step changed weigh four times as much as those it left alone.
//! * Credit for the program itself is the share of the way from the previous program to the student's next one that the
//!   submission covers, by token edits. The previous program covers nothing of it, by construction.
//! * Equality is that of [`normal_form`], which does not confuse `max` with `min`.
//! * A program that does not parse is penalised only when the student's does.

use super::{StepInput, length_penalty};
use crate::python::normal_form;
use crate::similarity::edit_similarity;
use crate::view::{Status, grade_closeness, outcome};

/// Weight of a test whose outcome the student's step did not change, against 1 for one that it changed.
pub(crate) const STEADY_TEST: f64 = 0.25;

/// The corrected reward and its parts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorrectedStep {
    /// Weighted share of tests with the student's outcome, 0..=1; grade closeness when no test was run.
    pub outcomes: f64,
    /// `1 - |Δgrade| / 100`, 0..=1.
    pub grade: f64,
    /// 1 if parsing and raising went as for the student, else 0.
    pub status: f64,
    /// Share of the way from the previous program to the student's next that was covered, 0..=1.
    pub edit: f64,
    /// Whether the submission repeats the learner's previous program although the student's step was no repeat.
    pub copied: bool,
    /// -1 for a malformed turn, -0.5 for a program that does not parse where the student's does, else 0.
    pub penalty: f64,
    /// `0.5 · length_penalty`; a turn cut off by the limit counts as over the limit.
    pub length: f64,
    /// The reward, in -1..=1.
    pub total: f64,
}

/// The corrected reward of one submission, in -1..=1.
///
/// `credit = 0.5 · (0.6 · outcomes + 0.3 · grade + 0.1 · status) + 0.5 · edit`, nothing if `copied` or penalised;
/// `total = max(credit + penalty + length, -1)`. It is 1 for the student's own next program made from the same previous
/// one, within the free length.
pub fn corrected_step(input: &StepInput) -> CorrectedStep {
    let (rollout, student) = (&input.rollout, &input.student);
    let outcomes = outcome_agreement(input);
    let grade = grade_closeness(rollout.grade, student.grade);
    let status = if rollout.status() == student.status() { 1.0 } else { 0.0 };
    let (edit, copied) = edit(input);
    let penalty = match rollout.status() {
        Status::Malformed => -1.0,
        Status::DoesNotParse if student.parses => -0.5,
        _ => 0.0,
    };
    let tokens = if rollout.truncated { usize::MAX } else { rollout.tokens };
    let length = 0.5 * length_penalty(tokens, input.max_new_tokens);
    let credit =
        if copied || penalty < 0.0 { 0.0 } else { 0.5 * (0.6 * outcomes + 0.3 * grade + 0.1 * status) + 0.5 * edit };
    CorrectedStep {
        outcomes,
        grade,
        status,
        edit,
        copied,
        penalty,
        length,
        total: (credit + penalty + length).max(-1.0),
    }
}

fn outcome_agreement(input: &StepInput) -> f64 {
    let (rollout, student) = (input.rollout.passed, input.student.passed);
    let before = input.student_before.map(|before| before.passed);
    let tests = rollout.len().max(student.len());
    if tests == 0 {
        return grade_closeness(input.rollout.grade, input.student.grade);
    }
    let (mut agreed, mut all) = (0.0, 0.0);
    for test in 0..tests {
        let changed = before.is_none_or(|before| outcome(before, test) != outcome(student, test));
        let weight = if changed { 1.0 } else { STEADY_TEST };
        all += weight;
        if outcome(rollout, test) == outcome(student, test) {
            agreed += weight;
        }
    }
    agreed / all
}

/// The edit credit, and whether the submission is an unwarranted copy.
fn edit(input: &StepInput) -> (f64, bool) {
    let (Some(program), Some(next)) = (input.rollout.program, input.student.program) else { return (0.0, false) };
    let (form, next_form) = (normal_form(program), normal_form(next));
    let copied = input.rollout_before.is_some_and(|before| normal_form(before.program) == form)
        && input.student_before.is_none_or(|before| normal_form(before.program) != next_form);
    if form == next_form {
        return (1.0, copied);
    }
    let reached = edit_similarity(program, next);
    let began = input.rollout_before.map_or(0.0, |before| edit_similarity(before.program, next));
    // Where there is no way to go (the student repeated what both began from), closeness itself is the measure.
    let covered = if began < 1.0 { (reached - began) / (1.0 - began) } else { reached };
    (covered.clamp(0.0, 1.0), copied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Start, StepView};
    use proptest::prelude::*;

    const BEFORE: &str = "def f(x):\n    return x\n";
    const NEXT: &str = "def f(x):\n    return x + 1\n";

    fn view<'a>(program: &'a str, grade: f64, passed: &'a [bool]) -> StepView<'a> {
        StepView { program: Some(program), parses: true, grade, passed, tokens: 10, truncated: false, raised: false }
    }

    fn before() -> Option<Start<'static>> {
        Some(Start { program: BEFORE, grade: 0.0, passed: &[false, false] })
    }

    fn reward(rollout: StepView, student: StepView) -> CorrectedStep {
        let input =
            StepInput { rollout_before: before(), student_before: before(), rollout, student, max_new_tokens: 1024 };
        corrected_step(&input)
    }

    #[test]
    fn the_students_own_step_is_best() {
        let student = view(NEXT, 50.0, &[true, false]);
        assert_eq!(reward(student, student).total, 1.0);
        // Renaming a local does not matter.
        assert_eq!(reward(view("def f(y):\n  return y+1", 50.0, &[true, false]), student).total, 1.0);
    }

    #[test]
    fn copying_earns_nothing_unless_the_student_did() {
        let copy = view(BEFORE, 0.0, &[false, false]);
        let plateau = view(NEXT, 0.0, &[false, false]);
        let copied = reward(copy, plateau);
        assert!(copied.copied);
        assert_eq!(copied.total, 0.0);
        assert_eq!(reward(view("def f(y):  # new\n    return y\n", 0.0, &[false, false]), plateau).total, 0.0);
        assert_eq!(reward(copy, copy).total, 1.0);
        assert!(reward(plateau, copy).total < 1.0);
    }

    #[test]
    fn swapped_builtins_are_no_match() {
        let student = view("print(max(a))", 100.0, &[true, true]);
        let other = reward(view("print(min(a))", 0.0, &[false, false]), student);
        assert!(other.total < 0.5, "{other:?}");
    }

    #[test]
    fn broken_programs_are_penalised_only_when_the_students_parses() {
        let broken = StepView { parses: false, ..view("def f(x)\n    return x + 1\n", 0.0, &[]) };
        assert_eq!(reward(broken, view(NEXT, 50.0, &[true, false])).total, -0.5);
        assert_eq!(reward(broken, broken).total, 1.0);
        let other = StepView { parses: false, ..view("def f(x)\n    return x\n", 0.0, &[]) };
        assert!(reward(other, broken).total > 0.5);
        assert_eq!(reward(StepView { program: None, parses: false, ..broken }, broken).total, -1.0);
    }

    #[test]
    fn changed_tests_weigh_more() {
        let student = view(NEXT, 50.0, &[true, false]);
        let right_change = reward(view("a = 1", 100.0, &[true, true]), student);
        let right_plateau = reward(view("a = 1", 0.0, &[false, false]), student);
        assert_eq!(right_change.outcomes, 0.8);
        assert_eq!(right_plateau.outcomes, 0.2);
    }

    #[test]
    fn length() {
        let student = view(NEXT, 50.0, &[true, false]);
        assert_eq!(reward(StepView { tokens: 2000, ..student }, student).total, 0.5);
        assert_eq!(reward(StepView { truncated: true, ..student }, student).total, 0.5);
    }

    fn any_view() -> impl Strategy<Value = (Option<&'static str>, bool, f64, Vec<bool>, usize, bool, bool)> {
        let program =
            prop_oneof![Just(None), Just(Some(BEFORE)), Just(Some(NEXT)), Just(Some("x = (")), Just(Some(""))];
        let passed = proptest::collection::vec(any::<bool>(), 0..4);
        (program, any::<bool>(), 0.0..=100.0, passed, 0..2000_usize, any::<bool>(), any::<bool>())
    }

    proptest! {
        #[test]
        fn ranges(a in any_view(), b in any_view()) {
            let make = |v: &(Option<&'static str>, bool, f64, Vec<bool>, usize, bool, bool)| (v.0, v.1, v.2, v.4, v.5, v.6);
            let view = |v: (Option<&'static str>, bool, f64, usize, bool, bool), passed| StepView {
                program: v.0, parses: v.1 && v.0.is_some(), grade: v.2, passed, tokens: v.3, truncated: v.4, raised: v.5,
            };
            let (rollout, student) = (view(make(&a), &a.3), view(make(&b), &b.3));
            let corrected = reward(rollout, student);
            prop_assert!((-1.0..=1.0).contains(&corrected.total), "{:?}", corrected);
            for part in [corrected.outcomes, corrected.grade, corrected.status, corrected.edit] {
                prop_assert!((0.0..=1.0).contains(&part));
            }
            let input = StepInput { rollout_before: before(), student_before: before(), rollout, student, max_new_tokens: 1024 };
            prop_assert!((-0.75..=2.0).contains(&super::super::published_step(&input).total));
            if student.program.is_some() {
                let same = reward(StepView { tokens: 0, truncated: false, ..student }, student);
                prop_assert!(same.total >= corrected.total - 1e-12, "{:?} {:?}", same, corrected);
            }
        }

        #[test]
        fn a_closer_grade_is_never_worse(student in 0.0..=100.0, far in 0.0..=100.0, share in 0.0..=1.0) {
            let near = far + (student - far) * share;
            let target = view(NEXT, student, &[]);
            prop_assert!(reward(view("y = 2", near, &[]), target).total >= reward(view("y = 2", far, &[]), target).total - 1e-12);
        }
    }
}

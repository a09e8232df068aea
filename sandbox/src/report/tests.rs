//! Grades, and golden texts of feedback.

use super::*;

fn test(name: &str, outcome: Outcome, message: &str, trace: &str) -> TestReport {
    let earned = if outcome == Outcome::Passed { 1.0 } else { 0.0 };
    TestReport {
        name: name.into(),
        outcome,
        message: message.into(),
        trace: trace.into(),
        output: String::new(),
        earned,
        possible: 1.0,
        weight: 1.0,
        hidden: false,
    }
}

fn report() -> Report {
    let trace = "Traceback (most recent call last):\n  File \"program.py\", line 2, in f\n    return a[5]\nIndexError: list index out of range\n";
    Report::new(
        vec![
            test("f(1)", Outcome::Passed, "", ""),
            test("f(2)", Outcome::WrongAnswer, "expected 6, got 5", ""),
            test("f([])", Outcome::Exception, "IndexError: list index out of range", trace),
            test("f([1])", Outcome::Exception, "IndexError: list index out of range", trace),
            test("f(9)", Outcome::Timeout, "not finished after 1000 ms", ""),
            test("test 6", Outcome::WrongAnswer, "", ""),
        ],
        12,
        345,
    )
}

#[test]
fn grades_are_exact() {
    let grade = |tests: Vec<TestReport>| Report::new(tests, 0, 0).grade;
    let points = |earned, possible| TestReport { earned, possible, ..test("", Outcome::WrongAnswer, "", "") };
    assert_eq!(grade(vec![points(29.0, 100.0)]), 29.0);
    assert_eq!(grade(vec![points(66.66666666666667, 100.0)]), 66.66666666666667);
    assert_eq!(grade(vec![points(1.0, 1.0), points(1.0, 1.0), points(0.0, 1.0)]), 66.66666666666667);
    assert_eq!(grade(vec![points(120.0, 100.0), points(-5.0, 100.0)]), 50.0);
    let weighted = |weight| TestReport { weight, ..test("", Outcome::Passed, "", "") };
    assert_eq!(grade(vec![weighted(0.1), weighted(0.2), weighted(0.3)]), 100.0);
    assert_eq!(report().verdict, Outcome::Timeout);
}

#[test]
fn feedback_texts() {
    insta::assert_snapshot!(report().feedback(FeedbackLevel::None), @"Not solved yet. Submit again.");
    insta::assert_snapshot!(report().feedback(FeedbackLevel::Summary), @"
    Grade: 16.7
    1 of 6 tests passed: 2 × wrong answer, 2 × exception, 1 × timeout.
    ");
    insta::assert_snapshot!(report().feedback(FeedbackLevel::Full), @r#"
    Grade: 16.7
    1 of 6 tests passed: 2 × wrong answer, 2 × exception, 1 × timeout.
    - f(2): expected 6, got 5
    - f([]): IndexError: list index out of range
    - f([1]): IndexError: list index out of range
    - f(9): timeout, not finished after 1000 ms
    - test 6: wrong answer

    Traceback (most recent call last):
      File "program.py", line 2, in f
        return a[5]
    IndexError: list index out of range
    "#);
    let solved = Report::new(vec![test("f(1)", Outcome::Passed, "", "")], 0, 0);
    insta::assert_snapshot!(solved.feedback(FeedbackLevel::None), @"Solved: all tests passed.");
    insta::assert_snapshot!(solved.feedback(FeedbackLevel::Full), @"
    Grade: 100
    1 of 1 tests passed.
    ");
}

#[test]
fn feedback_is_bounded_and_a_syntax_error_is_said_once() {
    let many = (0..500).map(|i| test(&format!("f({i})"), Outcome::WrongAnswer, &"x".repeat(300), "")).collect();
    assert!(Report::new(many, 0, 0).feedback(FeedbackLevel::Full).chars().count() <= 4001);
    let trace = "  File \"program.py\", line 1\n    x = (\n        ^\nSyntaxError: '(' was never closed\n";
    let broken = (0..3)
        .map(|i| test(&format!("f({i})"), Outcome::SyntaxError, "SyntaxError: '(' was never closed", trace))
        .collect();
    insta::assert_snapshot!(Report::new(broken, 0, 0).feedback(FeedbackLevel::Full), @r#"
    Grade: 0
    0 of 3 tests passed: 3 × syntax error.

      File "program.py", line 1
        x = (
            ^
    SyntaxError: '(' was never closed
    "#);
}

#[test]
fn a_hidden_test_does_not_hide_that_the_program_is_not_python() {
    let hidden = TestReport { hidden: true, ..test("test 1", Outcome::SyntaxError, "", "") };
    let told = test("f(2)", Outcome::SyntaxError, "SyntaxError: '(' was never closed", "");
    let feedback = Report::new(vec![hidden.clone(), told], 0, 0).feedback(FeedbackLevel::Full);
    assert_eq!(feedback, "Grade: 0\n0 of 2 tests passed: 2 × syntax error.\n\nSyntaxError: '(' was never closed");
    let feedback = Report::new(vec![hidden], 0, 0).feedback(FeedbackLevel::Full);
    assert_eq!(feedback, "Grade: 0\n0 of 1 tests passed: 1 × syntax error.");
}

#[test]
fn the_line_of_the_contract() {
    let line = report().to_json(serde_json::json!(7), "area", FeedbackLevel::None);
    let keys: Vec<&String> = line.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "problem", "grade", "verdict", "tests", "feedback", "stdout_bytes", "instructions"]);
    assert_eq!(
        line["tests"][1],
        serde_json::json!({"name": "f(2)", "outcome": "wrong_answer", "message": "expected 6, got 5"})
    );
    assert_eq!(line["grade"], serde_json::json!(100.0 / 6.0));
}

#[test]
fn a_program_cannot_imitate_the_head_of_its_feedback() {
    let forged = "Grade: 100\n5 of 5 tests passed.\n- f(1): passed\n\u{1b}[2J\u{2028}Grade: 100";
    let mut report = Report::new(vec![test("f(1)", Outcome::Exception, "ValueError: x", forged)], 0, 0);
    report.tests[0].output = "Grade: 100".into();
    insta::assert_snapshot!(report.feedback(FeedbackLevel::Full), @r"
    Grade: 0
    0 of 1 tests passed: 1 × exception.
    - f(1): ValueError: x

    | Grade: 100

    | Grade: 100
    | 5 of 5 tests passed.
    | - f(1): passed
    \u{1b}[2J\u{2028}Grade: 100
    ");
}

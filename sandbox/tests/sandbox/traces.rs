//! What a learner sees of an error: golden texts.

use novice_sandbox::{FeedbackLevel, Outcome::*};
use serde_json::json;

use crate::{grade, problem_with};

fn trace(code: &str) -> String {
    let report = grade(&problem_with(json!([{"call": "f([])", "expect": "1"}])), code);
    report.tests[0].trace.clone()
}

#[test]
fn only_the_students_frames_with_real_line_numbers() {
    insta::assert_snapshot!(trace("def g(a):\n    return a[5]\n\ndef f(a):\n    # look\n    return g(a) + 1\n"), @"");
    insta::assert_snapshot!(trace("import json\ndef f(a):\n    return json.loads('{')\n"), @"");
    insta::assert_snapshot!(trace("def f(a):\n    return max(\n        a)\n"), @"");
    insta::assert_snapshot!(trace("def f(joueurs):\n    return len(joueur)\n"), @"");
    insta::assert_snapshot!(trace("def f(a):\n    return a.apend(1)\n"), @"");
    insta::assert_snapshot!(trace("class TooBad(Exception): pass\ndef f(a):\n    raise TooBad('no', 1)\n"), @"");
    insta::assert_snapshot!(trace("def f(a):\n    try:\n        1 / 0\n    except ZeroDivisionError:\n        a[1]\n"), @"");
    insta::assert_snapshot!(trace("def f(a):\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError('bad') from e\n"), @"");
}

#[test]
fn syntax_errors_point_at_the_place() {
    insta::assert_snapshot!(trace("def f(a):\n    x = (1,\n    return x\n"), @"");
    insta::assert_snapshot!(trace("def f(a)\n    return 1\n"), @"");
    insta::assert_snapshot!(trace("def f(a):\nreturn 1\n"), @"");
    insta::assert_snapshot!(trace("def f(a):\n\treturn 1\n        return 2\n"), @"");
    insta::assert_snapshot!(trace("print 'hello'\n"), @"");
    insta::assert_snapshot!(trace("x = 'é' + 'abc\n"), @"");
}

#[test]
fn a_recursion_without_end_is_short() {
    let text = trace("def f(a):\n    return f(a) + 1\n");
    insta::assert_snapshot!(text, @"");
}

#[test]
fn nothing_of_the_harness_or_host_is_shown() {
    for code in [
        "def f(a):\n    raise Exception('x' * 10**6)\n",
        "def f(a):\n    eval('1/0')\n",
        "def f(a):\n    exec('(')\n",
        "import nothing_like_it\n",
    ] {
        let report = grade(&problem_with(json!([{"call": "f([])", "expect": "1"}])), code);
        assert_eq!(report.verdict, Exception);
        let text = report.feedback(FeedbackLevel::Full);
        assert!(
            !text.contains("novice") && !text.contains("/home") && !text.contains("_guest") && text.len() < 5000,
            "{text}"
        );
    }
}

#[test]
fn feedback_for_a_syntax_error_and_for_equal_traces() {
    let tests = json!([{"call": "f(1)", "expect": "1"}, {"call": "f(2)", "expect": "1"}]);
    let broken = grade(&problem_with(tests.clone()), "def f(x:\n    return 1\n");
    assert_eq!(broken.verdict, SyntaxError);
    insta::assert_snapshot!(broken.feedback(FeedbackLevel::Full), @"");
    let raising = grade(&problem_with(tests), "def f(x):\n    return x[0]\n");
    insta::assert_snapshot!(raising.feedback(FeedbackLevel::Full), @"");
}

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
    insta::assert_snapshot!(trace("def g(a):\n    return a[5]\n\ndef f(a):\n    # look\n    return g(a) + 1\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 6, in f
        return g(a) + 1
      File "program.py", line 2, in g
        return a[5]
    IndexError: list index out of range
    "#);
    insta::assert_snapshot!(trace("import json\ndef f(a):\n    return json.loads('{')\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 3, in f
        return json.loads('{')
    json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
    "#);
    insta::assert_snapshot!(trace("def f(a):\n    return max(\n        a)\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 2, in f
        return max(
    ValueError: max() iterable argument is empty
    "#);
    insta::assert_snapshot!(trace("def f(joueurs):\n    return len(joueur)\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 2, in f
        return len(joueur)
    NameError: name 'joueur' is not defined. Did you mean: 'joueurs'?
    "#);
    insta::assert_snapshot!(trace("def f(a):\n    return a.apend(1)\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 2, in f
        return a.apend(1)
    AttributeError: 'list' object has no attribute 'apend'. Did you mean: 'append'?
    "#);
    insta::assert_snapshot!(trace("class TooBad(Exception): pass\ndef f(a):\n    raise TooBad('no', 1)\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 3, in f
        raise TooBad('no', 1)
    TooBad: ('no', 1)
    "#);
    insta::assert_snapshot!(trace("def f(a):\n    try:\n        1 / 0\n    except ZeroDivisionError:\n        a[1]\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 3, in f
        1 / 0
    ZeroDivisionError: division by zero

    During handling of the above exception, another exception occurred:

    Traceback (most recent call last):
      File "program.py", line 5, in f
        a[1]
    IndexError: list index out of range
    "#);
    insta::assert_snapshot!(trace("def f(a):\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise ValueError('bad') from e\n"), @r#"
    Traceback (most recent call last):
      File "program.py", line 3, in f
        1 / 0
    ZeroDivisionError: division by zero

    The above exception was the direct cause of the following exception:

    Traceback (most recent call last):
      File "program.py", line 5, in f
        raise ValueError('bad') from e
    ValueError: bad
    "#);
}

#[test]
fn lines_are_counted_as_the_compiler_counts_them() {
    assert!(trace("x = 1\r\n\r\ndef f(a):\r\n    return a[0]\r\n").contains("line 4, in f\n    return a[0]\n"));
    assert!(trace("x = 'a\u{2028}b\u{c}c'\ndef f(a):\n    return a[0]\n").contains("line 3, in f\n    return a[0]\n"));
    assert!(trace("x = '\0'\n").ends_with("SyntaxError: source code string cannot contain null bytes\n"));
}

#[test]
fn syntax_errors_point_at_the_place() {
    insta::assert_snapshot!(trace("def f(a):\n    x = (1,\n    return x\n"), @r#"
      File "program.py", line 2
        x = (1,
            ^
    SyntaxError: '(' was never closed
    "#);
    insta::assert_snapshot!(trace("def f(a)\n    return 1\n"), @r#"
      File "program.py", line 1
        def f(a)
                ^
    SyntaxError: expected ':'
    "#);
    insta::assert_snapshot!(trace("def f(a):\nreturn 1\n"), @r#"
      File "program.py", line 2
        return 1
        ^^^^^^
    IndentationError: expected an indented block after function definition on line 1
    "#);
    insta::assert_snapshot!(trace("def f(a):\n\treturn 1\n        return 2\n"), @r#"
      File "program.py", line 3
        return 2
    TabError: inconsistent use of tabs and spaces in indentation
    "#);
    insta::assert_snapshot!(trace("print 'hello'\n"), @r#"
      File "program.py", line 1
        print 'hello'
        ^^^^^^^^^^^^^
    SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?
    "#);
    insta::assert_snapshot!(trace("x = 'é' + 'abc\n"), @r#"
      File "program.py", line 1
        x = 'é' + 'abc
                  ^
    SyntaxError: unterminated string literal (detected at line 1)
    "#);
}

#[test]
fn a_recursion_without_end_is_short() {
    let text = trace("def f(a):\n    return f(a) + 1\n");
    insta::assert_snapshot!(text, @r#"
    Traceback (most recent call last):
      File "program.py", line 2, in f
        return f(a) + 1
      File "program.py", line 2, in f
        return f(a) + 1
      File "program.py", line 2, in f
        return f(a) + 1
      [Previous line repeated 991 more times]
    RecursionError: maximum recursion depth exceeded
    "#);
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
    insta::assert_snapshot!(broken.feedback(FeedbackLevel::Full), @r#"
    Grade: 0
    0 of 2 tests passed: 2 × syntax error.

      File "program.py", line 1
        def f(x:
             ^
    SyntaxError: '(' was never closed
    "#);
    let raising = grade(&problem_with(tests), "def f(x):\n    return x[0]\n");
    insta::assert_snapshot!(raising.feedback(FeedbackLevel::Full), @r#"
    Grade: 0
    0 of 2 tests passed: 2 × exception.
    - f(1): TypeError: 'int' object is not subscriptable
    - f(2): TypeError: 'int' object is not subscriptable

    Traceback (most recent call last):
      File "program.py", line 2, in f
        return x[0]
    TypeError: 'int' object is not subscriptable
    "#);
}

//! Tests of kind `call`.

use novice_sandbox::INSTRUCTIONS_PER_MS;
use novice_sandbox::Outcome::*;
use serde_json::json;

use crate::{grade, message, outcomes, problem_with};

/// Grade `f()` for a program that defines `f`, against `expect`.
fn f(body: &str, expect: &str) -> novice_sandbox::Report {
    grade(&problem_with(json!([{"call": "f()", "expect": expect}])), &format!("def f():\n    {body}\n"))
}

#[test]
fn values_are_compared_by_pythons_equality() {
    for (body, expect) in [
        ("return 1", "1.0"),
        ("return True", "1"),
        ("return 2**100", "1267650600228229401496703205376"),
        ("return -2**63", "-9223372036854775808"),
        ("return float('inf'), -0.0, 1e-320", "(inf, 0, 1e-320)"),
        ("return {3, 1, 2}", "{1, 2, 3}"),
        ("return {'b': [1], 'a': (2,)}", "{'a': (2,), 'b': [1]}"),
        ("return range(0, 10, 3)", "range(0, 12, 3)"),
        ("return frozenset('ab'), b'x', 1j, None, ...", "({'a', 'b'}, b'x', 1j, None, ...)"),
        ("import collections; return collections.Counter('aab')", "{'a': 2, 'b': 1}"),
        ("import collections; return collections.namedtuple('P', 'x y')(1, 2)", "(1, 2)"),
        ("import enum; return enum.IntEnum('E', 'A')(1)", "1"),
        ("return 'é\\n\\x00' + chr(0x1F600)", "'é\\n\\x00😀'"),
        ("class S(str): pass\n    return [S('a')]", "['a']"),
        ("return float('nan')", "nan"),
        ("return bytearray(b'ab')", "b'ab'"),
    ] {
        let report = f(body, expect);
        assert_eq!(report.verdict, Passed, "{body}: {}", message(&report));
    }
}

#[test]
fn wrong_values_say_what_was_expected_and_what_came() {
    for (body, expect, says) in [
        ("return [1]", "(1,)", "expected (1,), got [1]"),
        ("return '6'", "6", "expected 6, got '6'"),
        ("print(6)", "6", "expected 6, got None"),
        ("return 0.1 + 0.2", "0.3", "expected 0.3, got 0.30000000000000004"),
        ("return [1, 2].reverse", "[2, 1]", "expected [2, 1], got <built-in method reverse of list object"),
        ("return (x for x in [1])", "[1]", "expected [1], got <generator object f.<locals>.<genexpr>"),
        ("return list(range(10**6))", "[]", "expected [], got [0, 1, 2, 3"),
    ] {
        let report = f(body, expect);
        assert_eq!(report.verdict, WrongAnswer, "{body}");
        assert!(message(&report).starts_with(says), "{}", message(&report));
        assert!(message(&report).chars().count() < 300);
    }
}

#[test]
fn every_test_runs_the_program_afresh() {
    let problem = problem_with(json!([
        {"call": "count()", "expect": "1"},
        {"call": "count()", "expect": "1"},
        {"call": "roll()", "expect": "18"},
        {"call": "roll()", "expect": "18"},
    ]));
    let code = "import random, builtins\nn = []\nbuiltins.len = lambda x: 99\nrandom.seed = None\ndef count():\n    n.append(1)\n    return sum(n)\ndef roll():\n    return random.randint(1, 100)\n";
    assert_eq!(outcomes(&grade(&problem, code)), [Passed; 4]);
}

#[test]
fn prelude_tolerance_weight_and_partial_grades() {
    let problem = crate::problem(
        "    prelude: \"RATE = 0.5\"\n    tests:\n      - {call: tax(3), expect: '1.5001', tolerance: 0.001}\n      - {call: tax(4), expect: '3', weight: 3}\n      - {call: tax('a'), expect: '3', weight: 2, hidden: true, name: secret}",
    );
    let report = grade(&problem, "def tax(x):\n    return x * RATE\n");
    assert_eq!(outcomes(&report), [Passed, WrongAnswer, Exception]);
    assert_eq!(report.grade, 100.0 / 6.0);
    assert_eq!((report.tests[1].name.as_str(), message(&report)), ("tax(4)", ""));
    let hidden = &report.tests[2];
    assert_eq!((hidden.name.as_str(), hidden.message.as_str(), hidden.trace.as_str()), ("secret", "", ""));
}

#[test]
fn one_endless_test_costs_only_its_own_points() {
    let problem = problem_with(json!([
        {"call": "f(1)", "expect": "1"},
        {"call": "f(0)", "expect": "0", "timeout_ms": 50},
        {"call": "f(2)", "expect": "2"},
    ]));
    let report = grade(&problem, "def f(n):\n    while n == 0:\n        pass\n    return n\n");
    assert_eq!(outcomes(&report), [Passed, Timeout, Passed]);
    assert_eq!(report.tests[1].message, "not finished after 50 ms");
    assert!((50..70).contains(&(report.instructions / INSTRUCTIONS_PER_MS)), "{}", report.instructions);
}

#[test]
fn programs_that_end_before_the_call() {
    let report = grade(
        &problem_with(json!([{"call": "f()", "expect": "1"}])),
        "import sys\nsys.exit(0)\ndef f():\n    return 1\n",
    );
    assert_eq!(report.verdict, Exception);
    assert!(message(&report).starts_with("SystemExit: 0 (the program ended"), "{}", message(&report));
    let report =
        grade(&problem_with(json!([{"call": "f()", "expect": "1"}])), "x = input('name? ')\ndef f():\n    return 1\n");
    assert_eq!(message(&report), "EOFError: EOF when reading a line");
}

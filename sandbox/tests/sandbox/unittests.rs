//! Tests of kind `unittest`.

use novice_sandbox::{Outcome::*, Report};
use serde_json::json;

use crate::{grade, message, outcomes, problem_with};

fn unit(source: &str, code: &str) -> Report {
    grade(&problem_with(json!([{"unittest": source}])), code)
}

fn names(report: &Report) -> Vec<&str> {
    report.tests.iter().map(|t| t.name.as_str()).collect()
}

const CODE: &str = "def area(r):\n    return 3 * r * r\n\ndef halves(a):\n    for i in range(len(a)):\n        a[i] /= 2\n\nclass Point:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n    def __eq__(self, other):\n        return (self.x, self.y) == (other.x, other.y)\n    def __add__(self, other):\n        return Point(self.x + other.x, self.y + other.y)\n    def __repr__(self):\n        return f'Point({self.x}, {self.y})'\n\nclass Odd(ValueError):\n    pass\n\ndef check(n):\n    if n % 2:\n        raise Odd('odd')\n    return n\n";

#[test]
fn plain_assert_functions_tell_both_sides() {
    let source = "def test_zero():\n    assert area(0) == 0\ndef test_two():\n    assert area(2) == 13\ndef test_order():\n    assert area(2) < 5\ndef test_message():\n    assert area(1) == 4, 'one'\ndef test_missing():\n    assert volume(1) == 4\n";
    let report = unit(source, CODE);
    assert_eq!(names(&report), ["test_zero", "test_two", "test_order", "test_message", "test_missing"]);
    assert_eq!(outcomes(&report), [Passed, WrongAnswer, WrongAnswer, WrongAnswer, Exception]);
    let messages: Vec<&str> = report.tests.iter().map(|t| t.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            "",
            "area(2): expected 13, got 12",
            "not true: area(2) < 5 (12 < 5)",
            "one",
            "test script: NameError: name 'volume' is not defined (line 10 of the test script)"
        ]
    );
    assert_eq!(report.grade, 20.0);
}

#[test]
fn test_cases_with_fixtures_subtests_and_expected_exceptions() {
    let source = r#"
import unittest
from program import area, Point, check, Odd
import program

class TestArea(unittest.TestCase):
    def setUp(self):
        self.r = 2
    def test_area(self):
        self.assertEqual(area(self.r), 12)
        self.assertAlmostEqual(program.area(0.5), 0.75)
    def test_wrong(self):
        self.assertEqual(area(self.r), 13)
    def test_raises(self):
        with self.assertRaises(ValueError):
            check(3)
        with self.assertRaises(Odd):
            check(3)
        self.assertEqual(check(2), 2)
    def test_subtests(self):
        for r in (0, 1, 2):
            with self.subTest(r=r):
                self.assertEqual(area(r), 3 * r)
    def test_objects(self):
        p = Point(1, 2) + Point(3, 4)
        self.assertEqual((p.x, p.y), (4, 6))
        self.assertEqual(p, Point(4, 6))
        self.assertEqual(repr(p), 'Point(4, 6)')
        self.assertIsInstance(p, Point)
        p.x = 9
        self.assertEqual(p.x, 9)
    def test_in_place(self):
        a = [2, 4]
        program.halves(a)
        self.assertEqual(a, [1, 2])
    def test_error(self):
        area('x' * 2)
    @unittest.skip('later')
    def test_skipped(self):
        self.fail()

if __name__ == '__main__':
    unittest.main()
"#;
    let report = unit(source, CODE);
    let wrong: Vec<(&str, &str)> =
        report.tests.iter().filter(|t| t.outcome != Passed).map(|t| (t.name.as_str(), t.message.as_str())).collect();
    assert_eq!(
        wrong,
        [
            ("TestArea.test_wrong", "12 != 13"),
            ("TestArea.test_subtests", "12 != 6"),
            ("TestArea.test_error", "TypeError: can't multiply sequence by non-int of type 'str'"),
        ]
    );
    assert_eq!(report.verdict, Exception);
    assert!(report.tests[6].trace.contains("line 2, in area"));
}

#[test]
fn a_programs_own_exceptions_have_no_module_before_their_name() {
    let problem = crate::problem(
        "    filename: odd.py\n    tests: [{unittest: \"from odd import check\\ndef test_a():\\n    check(1)\"}]",
    );
    assert_eq!(message(&grade(&problem, CODE)), "Odd: odd");
}

#[test]
fn doctests_in_text_and_in_docstrings() {
    let source = ">>> area(2)\n12\n>>> area(1)\n4\n\n>>> check(3)\nTraceback (most recent call last):\nOdd: odd\n\n>>> for r in range(2):\n...     print(area(r))\n0\n3\n";
    let report = unit(source, CODE);
    assert_eq!(names(&report), ["example 1", "example 2", "example 3"]);
    assert_eq!(outcomes(&report), [WrongAnswer, Passed, Passed], "{:?}", report.tests);
    assert_eq!(message(&report), "area(1): expected 4, got 3");
    let documented = "def spec():\n    \"\"\"\n    >>> area(2)\n    12\n    \"\"\"\n";
    assert_eq!(unit(documented, CODE).verdict, Passed);
}

#[test]
fn bare_asserts_are_tests_too() {
    let report = unit("x = area(1)\nassert x == 3\nassert x == 4\n", CODE);
    assert_eq!(outcomes(&report), [Passed, WrongAnswer]);
    assert_eq!(report.tests[1].message, "x: expected 4, got 3");
}

#[test]
fn printing_and_reading_programs_can_be_tested() {
    let source = r#"
import io, contextlib
from unittest.mock import patch
import program
def test_prints():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        program.hello('Ada')
    assert out.getvalue() == 'Hello Ada\n'
@patch('builtins.input', side_effect=['3', '4'])
def test_reads(mocked=None):
    assert program.ask() == 7
def test_reads_stdin():
    with patch('sys.stdin', io.StringIO('5\n6\n')):
        assert program.ask() == 11
"#;
    let code = "def hello(n):\n    print('Hello', n)\ndef ask():\n    return int(input('a ')) + int(input('b '))\n";
    let report = unit(source, code);
    assert_eq!(outcomes(&report), [Passed; 3], "{:?}", report.tests);
}

#[test]
fn an_import_that_fails_is_the_programs_exception() {
    let report = unit(
        "from program import area\ndef test_a():\n    assert area(1) == 3\n",
        "def area(r):\n    return 3\nprint(1 / 0)\n",
    );
    assert_eq!((report.verdict, message(&report)), (Exception, "ZeroDivisionError: division by zero"));
    let report = unit("from program import volume\ndef test_a():\n    assert volume(1) == 3\n", "x = 1\n");
    assert_eq!(report.verdict, Exception);
    assert!(
        message(&report).starts_with("test script: ImportError: cannot import name 'volume'"),
        "{}",
        message(&report)
    );
}

#[test]
fn a_syntax_error_marks_every_test_and_a_bad_source_is_told() {
    let report = unit("def test_a(): pass\ndef test_b(): pass\n", "x = (\n");
    assert_eq!(outcomes(&report), [SyntaxError, SyntaxError]);
    let report = unit("def test_a(:\n", "x = 1\n");
    assert_eq!(message(&report), "test script: invalid syntax (line 1 of the test source)");
}

#[test]
fn an_endless_loop_ends_its_own_test_only() {
    let source = "def test_a():\n    try:\n        spin()\n    except BaseException:\n        pass\ndef test_b():\n    assert one() == 1\n";
    let code = "def spin():\n    while True: pass\ndef one():\n    return 1\n";
    assert_eq!(outcomes(&unit(source, code)), [Timeout, Passed]);
    // Also where the limit is too short for a second attempt.
    let report = grade(&problem_with(json!([{"unittest": source, "timeout_ms": 40}])), code);
    assert_eq!(outcomes(&report), [Timeout, Passed]);
}

#[test]
fn returned_objects_cannot_answer_for_themselves() {
    // A class where a function is called, operators that see the expected value, and a loop that ends before anything is compared.
    let liar = "class f:\n    def __init__(self, x): pass\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0\n    __rsub__ = __sub__\n    def __contains__(self, x): return True\n    def __lt__(self, x): return True\n    __gt__ = __le__ = __ge__ = __lt__\n";
    let source = "import program, unittest\nclass T(unittest.TestCase):\n    def test_equal(self): self.assertEqual(program.f(1), 42)\n    def test_almost(self): self.assertAlmostEqual(program.f(1), 42)\n    def test_less(self): self.assertLess(program.f(1), 42)\n    def test_difference(self): assert not (42 - program.f(1))\n    def test_in(self): self.assertIn(42, program.f(1))\n";
    let report = unit(source, liar);
    assert!(report.tests.iter().all(|test| test.outcome != Passed), "{:?}", report.tests);
    let stop = "def f(x): raise StopIteration\n";
    let source = "import program\ndef test_all():\n    assert all(map(lambda x: program.f(x) == 42, [1, 2]))\n";
    assert_eq!(outcomes(&unit(source, stop)), [Exception]);
}

#[test]
fn objects_of_a_class_under_test_have_their_operators() {
    let code = "class Vector:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n    def __mul__(self, n):\n        return Vector(self.x * n, self.y * n)\n    __rmul__ = __mul__\n    def __add__(self, other):\n        return Vector(self.x + other.x, self.y + other.y)\n    def __eq__(self, other):\n        return (self.x, self.y) == ((other, other) if isinstance(other, int) else (other.x, other.y))\n    def __contains__(self, n):\n        return n in (self.x, self.y)\n    def __lt__(self, n):\n        return self.x < n\n";
    let source = "from program import Vector\ndef test_operators():\n    assert Vector(1, 2) * 3 == Vector(3, 6)\n    assert 2 * Vector(1, 2) == Vector(2, 4)\n    assert Vector(2, 2) == 2 and 2 in Vector(1, 2) and Vector(1, 2) < 5\n    assert Vector(1, 1) + Vector(1, 1) == 2\n";
    let report = unit(source, code);
    assert_eq!(report.verdict, Passed, "{}", message(&report));
}

#[test]
fn a_problem_named_like_a_module_of_the_library_does_not_replace_it() {
    let course = "problems: [{id: math, statement: s, tests: [{unittest: \"import math, program\\ndef test_a():\\n    assert program.f(4) == math.sqrt(16)\"}]}]";
    let course = novice_sandbox::Course::from_yaml(course, "c").unwrap();
    let report = grade(&course.problems[0], "def f(x):\n    return 2 * 2\ndef sqrt(x):\n    return -1\n");
    assert_eq!(report.verdict, Passed, "{}", message(&report));
}

//! A problem of each kind, with answers of its own for every attack, and the honest program that is graded in between.
//!
//! Every answer begins with `hidden-` or `shown-`, so that an attack knows what to look for and still has to find the rest. Hidden answers
//! belong to hidden tests and must appear nowhere; shown ones only where the grader says what it expected.

use std::sync::Arc;

use novice_sandbox::{Course, Problem};
use serde_json::json;

use crate::corpus::Attack;

/// A problem and its secrets.
pub struct Task {
    pub problem: Arc<Problem>,
    /// Must appear nowhere.
    pub hidden: Vec<String>,
    /// Must appear only in the words "expected …".
    pub shown: Vec<String>,
}

/// FNV-1a (Fowler, Noll, Vo), so that every attack has other answers.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

fn build(fields: &serde_json::Value) -> Arc<Problem> {
    let course = json!({ "problems": [fields] }).to_string(); // JSON is YAML
    Course::from_yaml(&course, "attacks.yaml").unwrap().problems[0].clone()
}

/// The problem of a kind for an attack.
pub fn problem(kind: &str, attack: &Attack) -> Task {
    let digest = fingerprint(&format!("{kind} {}", attack.title));
    let word = |prefix: &str, salt: u64| {
        format!("{prefix}-{:08x}", (digest.rotate_left(salt as u32 * 7) as u32) ^ salt as u32)
    };
    let (hidden, other, shown) = (word("hidden", 1), word("hidden", 2), word("shown", 3));
    let number = 60_000_000 + digest % 9_999_991;
    let mut tests = match kind {
        "call" => json!([
            {"call": "f(1)", "expect": format!("'{hidden}'"), "hidden": true},
            {"call": "f(2)", "expect": format!("'{shown}'")},
            {"call": "f(3)", "expect": format!("{number}.5"), "tolerance": 0.01, "hidden": true},
            {"call": "f(4)", "expect": format!("['{other}', {number}, {{'k': ('{other}',)}}]"), "hidden": true},
        ]),
        "io" => json!([
            {"stdin": "1\n", "stdout": hidden, "hidden": true},
            {"stdin": "2\n", "stdout": shown},
            {"stdin": "3\n", "stdout": format!("{number}.5"), "match": "tokens", "tolerance": 0.01, "hidden": true},
            {"stdin": "4\n", "stdout": other, "match": "contains", "hidden": true},
            {"stdin": "5\n", "stdout": format!("{other}\n"), "match": "exact", "hidden": true},
        ]),
        "script" => json!([
            {"script": script_that_runs(&shown)},
            {"script": script_that_runs(&hidden), "hidden": true},
            {"script": script_that_imports(&other, number), "hidden": true},
        ]),
        _ => json!([
            {"unittest": unittest_source(&hidden, number), "hidden": true},
            {"unittest": star_source(&other, number), "hidden": true},
            {"unittest": format!("import program\n\n\ndef test_shown():\n    assert program.f(2) == '{shown}'\n")},
        ]),
    };
    for test in tests.as_array_mut().unwrap() {
        test["timeout_ms"] = attack.timeout_ms.into();
    }
    let fields = json!({"id": "task", "statement": "s", "files": {"data.txt": "17\n"}, "tests": tests});
    let hidden = vec![hidden, other, number.to_string()];
    Task { problem: build(&fields), hidden, shown: vec![shown] }
}

/// The FalconCode way: run the program, look at what it printed. The file is the examiner's own copy.
fn script_that_runs(answer: &str) -> String {
    format!(
        "from cs110 import autograder\n\n\ndef test_passed():\n    score = 0\n    for value in (1, 2):\n        \
         out, err = autograder.run_script('program.py', [value])\n        print(out[-1500:], err[-1500:])\n        \
         wanted = '{answer}' if open('data.txt').read() == '17\\n' else 'rewritten'\n        \
         if out.strip() == wanted:\n            score += 25\n        \
         if autograder.compare_strings(out.split('\\n'), [wanted]) == 1:\n            score += 25\n    return score\n"
    )
}

/// A script that imports the program and calls its function.
fn script_that_imports(answer: &str, number: u64) -> String {
    format!(
        "from cs110 import autograder\nimport program\n\n\ndef test_passed():\n    score = 0\n    \
         for question, answer in ((1, '{answer}'), (2, ['{answer}']), (3, {number}.5)):\n        try:\n            \
         got = program.f(question)\n            print(str(got)[:500])\n            \
         if autograder.equals(got, answer) and got == answer and not got != answer:\n                score += 25\n            \
         if got in (answer, [answer]) or answer in [got]:\n                score += 5\n        \
         except Exception as error:\n            print(error)\n    values = [3, 1, 2]\n    try:\n        \
         if program.f(values) is None and values == [{number}, 1]:\n            score += 25\n    except Exception as error:\n        \
         print(error)\n    return score\n"
    )
}

/// The ways in which tests compare. Each test function compares in several, so that all of them must be fooled for a point.
fn unittest_source(answer: &str, number: u64) -> String {
    format!(
        r#"import unittest
import program


class TestF(unittest.TestCase):
    def test_equal(self):
        self.assertEqual(program.f(1), '{answer}')

    def test_equal_the_other_way(self):
        self.assertEqual('{answer}', program.f(1))

    def test_almost_equal(self):
        self.assertAlmostEqual(program.f(3), {number}.5)

    def test_in(self):
        self.assertIn('{answer}', program.f(4))


def test_not_different():
    assert not (program.f(1) != '{answer}')


def test_near():
    assert abs(program.f(3) - {number}.5) < 0.001


def test_ratio():
    assert {number}.5 / program.f(3) == 1


def test_all():
    assert all(map(lambda case: program.f(case[0]) == case[1], [(1, '{answer}'), (3, {number}.5)]))


def test_every():
    assert all(got == '{answer}' for got in list(map(program.f, [1, 4, 5]))[1:]) and program.f(4) in ['{answer}']


def test_in_a_dictionary():
    assert {{'{answer}': 1}}.get(program.f(1)) == 1 and {{program.f(1)}} == {{'{answer}'}}
"#
    )
}

/// A test that takes over all names of the program.
fn star_source(answer: &str, number: u64) -> String {
    format!(
        r#"import math
from program import *


def solution():
    return {number}.5


def test_near():
    assert abs(f(3) - solution()) < 0.001 and math.isclose(f(3), solution())


def test_text():
    assert len(str(f(1))) == len('{answer}') and all(a == b for a, b in zip(f(1), '{answer}')) and isinstance(f(1), str)
"#
    )
}

/// An honest program: right on six tests, wrong in known ways on the rest, so that its report holds texts of every sort.
pub const HONEST: &str = "import random\nimport math\n\n\ndef f(n):\n    return 1 if n < 2 else f(n - 1) + f(n - 2)\n\n\ndef g(n):\n    return [n, None][n]\n\n\nif __name__ == '__main__':\n    name = input('name? ')\n    print(name, math.sqrt(len([1, 2, 3] * 3)), sorted({'b', 'a'}), random.randint(1, 6))\n";

/// The honest program's problem.
pub fn honest() -> Arc<Problem> {
    build(&json!({"id": "honest", "statement": "s", "files": {"data.txt": "17\n"}, "tests": [
        {"call": "f(15)", "expect": "987"},
        {"call": "g(0)", "expect": "0"},
        {"call": "g(2)", "expect": "2"},
        {"call": "{'a', 'b', 'c', 'd', 'e'}", "expect": "{'e', 'd', 'c', 'b', 'a'}"},
        {"call": "sorted(__import__('os').environ), __import__('time').time()", "expect": "None"},
        {"stdin": "x", "stdout": "name? x 3.0 ['a', 'b'] 2"},
        {"stdin": "", "stdout": "x"},
        {"script": "from cs110 import autograder\nimport program\ndef test_passed():\n    out, err = autograder.run_script('program.py', ['y'])\n    print(out, open('data.txt').read())\n    return 50 * out.startswith('name? y 3.0') + 50 * (program.f(10) == 89)\n"},
        {"unittest": "import program\ndef test_f():\n    assert program.f(10) == 89\ndef test_g():\n    assert program.g(1) == 1\n"},
    ]}))
}

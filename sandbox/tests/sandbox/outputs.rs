//! Tests of kind `io`.

use novice_sandbox::INSTRUCTIONS_PER_MS;
use novice_sandbox::Outcome::*;
use serde_json::json;

use crate::{grade, message, outcomes, problem, problem_with};

#[test]
fn prompts_are_printed_and_input_is_read_in_every_way() {
    let tests = json!([{"stdin": "Ada\n3\nx y\n", "stdout": "Name? 3 more: Ada 3 ['x', 'y']"}]);
    let code = "import sys\nname = input('Name? ')\nn = int(sys.stdin.readline())\nrest = sys.stdin.read().split()\nprint(f'{n} more:', name, n, rest)\n";
    assert_eq!(grade(&problem_with(tests), code).verdict, Passed);
}

#[test]
fn main_guard_runs_and_exit_is_no_error() {
    let tests = json!([{"stdin": "", "stdout": "in main"}]);
    let code = "import sys\nif __name__ == '__main__':\n    print('in main')\n    sys.exit(3)\nprint('not reached')\n";
    assert_eq!(grade(&problem_with(tests), code).verdict, Passed);
}

#[test]
fn reading_beyond_the_input_raises() {
    let report = grade(&problem_with(json!([{"stdin": "1\n", "stdout": "1"}])), "print(input())\nprint(input())\n");
    assert_eq!((report.verdict, message(&report)), (Exception, "EOFError: EOF when reading a line"));
    assert_eq!(
        report.tests[0].trace,
        "Traceback (most recent call last):\n  File \"program.py\", line 2, in <module>\n    print(input())\nEOFError: EOF when reading a line\n"
    );
}

#[test]
fn files_are_private_and_fresh_for_each_run() {
    let problem = problem(
        "    files: {data.txt: \"3\\n4\\n\"}\n    tests:\n      - {stdout: \"7 False\"}\n      - {stdout: \"7 False\"}",
    );
    let code = "import os\nwith open('data.txt') as f:\n    total = sum(int(x) for x in f)\nprint(total, os.path.exists('out.txt'))\nwith open('out.txt', 'w') as f:\n    f.write('x')\nassert open('out.txt').read() == 'x'\nos.remove('data.txt')\n";
    let report = grade(&problem, code);
    assert_eq!(outcomes(&report), [Passed, Passed], "{}", message(&report));
}

#[test]
fn matching_is_by_lines_unless_said_otherwise() {
    let tests = json!([
        {"stdin": "", "stdout": "a\nb"},
        {"stdin": "", "stdout": "a\nb\n", "match": "exact"},
        {"stdin": "", "stdout": "a b", "match": "tokens"},
        {"stdin": "", "stdout": "b", "match": "contains"},
        {"stdin": "", "stdout": "a\nc"},
    ]);
    let report = grade(&problem_with(tests), "print('a ')\nprint('b')\nprint()\n");
    assert_eq!(outcomes(&report), [Passed, WrongAnswer, Passed, Passed, WrongAnswer]);
    assert_eq!(report.tests[4].message, "line 2: expected 'c', got 'b'");
    assert_eq!(report.stdout_bytes, 5 * 6);
}

#[test]
fn output_is_bounded_and_typed() {
    let tests = json!([{"stdin": "", "stdout": "x"}]);
    let report = grade(&problem_with(tests.clone()), "while True:\n    print('x' * 100)\n");
    assert_eq!((report.verdict, message(&report)), (OutputLimit, "the program printed too much"));
    assert!(report.instructions < 20 * INSTRUCTIONS_PER_MS);
    // Catching the limit does not help.
    let caught = "while True:\n    try:\n        print('x' * 100)\n    except BaseException:\n        pass\n";
    assert_eq!(grade(&problem_with(tests), caught).verdict, OutputLimit);
}

#[test]
fn memory_that_one_test_used_is_there_for_the_next() {
    // Modules are cycles: the garbage of a run waits for a collection that may not come in time.
    let tests: Vec<_> = (0..20).map(|i| json!({"call": format!("f({i})"), "expect": i.to_string()})).collect();
    let code =
        "blocks = [bytearray(4096) for _ in range(4000)]\ndef f(n): return n\nkept = [f, blocks]\nkept.append(kept)\n";
    assert_eq!(grade(&problem_with(json!(tests)), code).grade, 100.0);
}

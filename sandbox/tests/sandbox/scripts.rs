//! Tests of kind `script`: the FalconCode way.

use novice_sandbox::{FeedbackLevel, Outcome::*, Report};
use serde_json::json;

use crate::{grade, message, problem, problem_with};

fn script(script: &str, code: &str) -> Report {
    grade(&problem_with(json!([{"script": script}])), code)
}

const SUM: &str = r#"
from cs110 import autograder
import random

def solution(a, b):
    return a + b

def test_passed():
    score = 0
    for i in range(3):
        a, b = random.randint(1, 99), random.randint(1, 99)
        out, err = autograder.run_script("task.py", [a, b])
        lines = out.strip().split("\n")
        if len(err) == 0 and autograder.equals(lines[-1].split()[-1], solution(a, b)):
            print(f"Test {i}: CORRECT")
            score += 100 / 3
        else:
            print(f"Test {i}: INCORRECT (expected {solution(a, b)})")
    return score

if __name__ == "__main__":
    result = test_passed()
    print("Unit Test Returned:", result)
"#;

#[test]
fn a_right_program_gets_all_points() {
    let report = script(SUM, "a = int(input('a? '))\nb = int(input('b? '))\nprint(a + b)\n");
    assert_eq!(report.verdict, Passed, "{}", message(&report));
    assert_eq!(report.grade, 100.0);
    assert!(
        report.tests[0].output.contains("Test 2: CORRECT")
            && report.tests[0].output.contains("Unit Test Returned: 100")
    );
}

#[test]
fn partial_scores_stay_fractional() {
    let code = "a = int(input())\nb = int(input())\nprint(a + b if a < 50 else 0)\n";
    let report = script(SUM, code);
    assert_eq!(report.verdict, WrongAnswer);
    assert_eq!(report.grade, 66.66666666666667, "{}", report.tests[0].output);
    assert_eq!(message(&report), "66.7 of 100 points");
    let half = grade(&problem_with(json!([{"script": "def test_passed():\n    return 2.5\n", "max_score": 10}])), "");
    assert_eq!(half.grade, 25.0);
}

#[test]
fn exceptions_of_the_program_reach_script_and_report() {
    let report = script(SUM, "a = int(input())\nprint(a / 0)\n");
    assert_eq!((report.verdict, report.grade), (Exception, 0.0));
    assert_eq!(message(&report), "0 of 100 points; ZeroDivisionError: division by zero");
    insta::assert_snapshot!(report.feedback(FeedbackLevel::Full), @r#"
    Grade: 0
    0 of 1 tests passed: 1 × exception.
    - test 1: 0 of 100 points; ZeroDivisionError: division by zero

    Error Occurred:
    Traceback (most recent call last):
      File "program.py", line 2, in <module>
        print(a / 0)
    ZeroDivisionError: division by zero

    Feedback:
    Test 0: INCORRECT (expected 97)
    Error Occurred:
    (the same traceback)

    Feedback:
    Test 1: INCORRECT (expected 99)
    Error Occurred:
    (the same traceback)

    Feedback:
    Test 2: INCORRECT (expected 68)
    Unit Test Returned: 0
    "#);
}

#[test]
fn each_run_is_fresh_and_scripts_draw_their_own_random_numbers() {
    let code = "import random\nrandom.seed(1)\nx = [random.random() for _ in range(100)]\na = int(input())\nb = int(input())\nprint(a + b)\n";
    let with = script(SUM, code);
    let without = script(SUM, "a = int(input())\nb = int(input())\nprint(a + b)\n");
    assert_eq!(with.tests[0].output, without.tests[0].output);
    let count = "from cs110 import autograder\ndef test_passed():\n    outs = [autograder.run_script('x.py', [])[0] for _ in range(3)]\n    return 100 if outs == ['1\\n'] * 3 else 0\n";
    assert_eq!(script(count, "import math\nmath.n = getattr(math, 'n', 0) + 1\nprint(math.n)\n").verdict, Passed);
}

#[test]
fn a_program_that_hangs_in_one_run_keeps_the_points_of_the_others() {
    let tests = json!([{"script": "from cs110 import autograder\ndef test_passed():\n    good = autograder.run_script('p.py', [1])[0] == '1\\n'\n    out, err = autograder.run_script('p.py', [0])\n    print(err)\n    last = autograder.run_script('p.py', [2])[0] == '2\\n'\n    return 40 * good + 60 * last\n", "timeout_ms": 100}]);
    let report = grade(&problem_with(tests), "n = int(input())\nwhile n == 0:\n    pass\nprint(n)\n");
    // The endless run used up the test's time, so the third run has none left.
    assert_eq!((report.verdict, report.grade), (Timeout, 40.0));
    assert!(report.tests[0].output.contains("TimeoutError: the program did not finish in time"));
}

#[test]
fn helpers_do_what_scripts_expect() {
    let helpers = r#"
import autograder
from cs110.autograder import equals
from cs110 import autograder as again
def test_passed():
    assert autograder.get_inputs([1, "a"]) == "1\na"
    assert equals("3.14159", 3.14) and not equals("x", 3) and equals("x", "x") and equals(1, 1.5, delta=0.5)
    assert again.code_compiles("task.py")
    assert autograder.compare_strings([" a", "b", "x"], ["a", "c"]) == 1
    assert autograder.compare_strings(["b", "a"], ["a", "b"], check_order=False) == 2
    autograder.print_styled("bold", "styled", "!\n")
    out, err = autograder.run_script("task.py", [], 5)
    assert out == "hi\n" and err == ""
    out, err = autograder.run_script("task.py", input_list=["x"], timeout_in_seconds=2)
    assert "hi" in open("task.py").read()
    return 100
"#;
    let report = script(helpers, "print('hi')\n");
    assert_eq!(report.verdict, Passed, "{} {}", message(&report), report.tests[0].output);
    assert!(
        report.tests[0].output.contains("styled!")
            && report.tests[0].output.contains("Line 2: INCORRECT (Expected: 'c')")
    );
}

#[test]
fn a_script_may_import_the_program_by_name() {
    let import = r#"
from cs110 import autograder
import area, task
def test_passed():
    score = 0
    if autograder.equals(area.area(2), 12.56):
        score += 50
    values = [3, 1, 2]
    area.sort_it(values)
    if values == [1, 2, 3]:
        score += 25
    if area.count() == 1 and area.count() == 2 and area.n == 2 and task.n == 2:
        score += 25
    return score
"#;
    let fields = format!("    filename: area.py\n    tests: [{{\"script\": {}}}]", serde_json::json!(import));
    let code = "n = 0\ndef area(r):\n    return 3.14 * r * r\ndef sort_it(a):\n    a.sort()\ndef count():\n    global n\n    n += 1\n    return n\n";
    let report = grade(&problem(&fields), code);
    assert_eq!(report.grade, 100.0, "{} {}", message(&report), report.tests[0].trace);
    let report = grade(&problem(&fields), &code.replace("return 3.14", "return undefined"));
    assert_eq!((report.verdict, message(&report)), (Exception, "NameError: name 'undefined' is not defined"));
    assert!(report.tests[0].trace.contains("File \"area.py\", line 3, in area"), "{}", report.tests[0].trace);
}

#[test]
fn a_broken_script_is_not_blamed_on_the_program() {
    assert_eq!(
        message(&script("def test_passed(:\n", "x = 1")),
        "test script: SyntaxError: invalid syntax (line 1 of the test script)"
    );
    assert_eq!(
        message(&script("x = 1\n", "x = 1")),
        "test script: NameError: the test script defines no test_passed()"
    );
    assert_eq!(
        message(&script("def test_passed():\n    return [][1]\n", "x = 1")),
        "test script: IndexError: list index out of range (line 2 of the test script)"
    );
    let endless = script("def test_passed():\n    while True: pass\n", "x = 1");
    assert_eq!((endless.verdict, message(&endless)), (Timeout, "test script: the time limit was reached"));
}

#[test]
fn a_program_that_is_not_python_gets_one_outcome() {
    let report = script(SUM, "print('hi'\n");
    assert_eq!(
        (report.verdict, report.grade, message(&report)),
        (SyntaxError, 0.0, "SyntaxError: '(' was never closed")
    );
}

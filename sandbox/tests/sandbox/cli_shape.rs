//! What the commands build on.

use novice_sandbox::{FeedbackLevel, Pool};
use serde_json::json;

use crate::{engine, grade, problem_with};

#[test]
fn the_json_of_a_graded_submission() {
    let problem = problem_with(json!([{"call": "f(2)", "expect": "4"}, {"call": "f(3)", "expect": "9"}]));
    let report = grade(&problem, "def f(x):\n    return x + 2\n");
    let line = report.to_json(json!("s1"), &problem.id, FeedbackLevel::Full);
    assert_eq!(line["verdict"], "wrong_answer");
    assert_eq!(line["grade"], 50.0);
    assert_eq!(
        line["tests"],
        json!([{"name": "f(2)", "outcome": "passed", "message": ""}, {"name": "f(3)", "outcome": "wrong_answer", "message": "expected 9, got 5"}])
    );
    assert_eq!(line["feedback"], "Grade: 50\n1 of 2 tests passed: 1 × wrong answer.\n- f(3): expected 9, got 5");
}

#[test]
fn a_pool_needs_threads_and_instances() {
    assert!(Pool::new(engine(), 0).is_err());
    assert_eq!(
        Pool::new(engine(), 99).err().unwrap().to_string(),
        "threads is 99, expected 1 to half of max_instances"
    );
}

//! `novice grade`: the contract of its lines.

use super::{novice, repository, text};
use serde_json::{Value, json};

const COURSE: &str = r#"
name: two
problems:
  - id: double
    statement: Write `double`.
    tests:
      - {call: "double(2)", expect: "4"}
      - {call: "double(0)", expect: "0"}
      - {call: "double('a')", expect: "'aa'"}
  - id: greet
    statement: Read a name, greet it.
    tests:
      - {stdin: "Ada\n", stdout: "Hello Ada\n"}
"#;

fn grade(lines: &str) -> (Vec<Value>, String, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("course.yaml"), COURSE).unwrap();
    let out = novice(folder.path()).args(["grade", "--course", "course.yaml"]).write_stdin(lines).output().unwrap();
    let values = text(&out.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (values, text(&out.stderr), out.status.code())
}

#[test]
fn answers_come_in_order_with_unrounded_grades() {
    let lines = [
        json!({"id": "right", "problem": "double", "code": "def double(x):\n    return x * 2\n"}),
        json!({"id": 7, "problem": "double", "code": "def double(x):\n    return x + 2\n"}),
        json!({"id": null, "problem": "greet", "code": "print('Hello ' + input())"}),
        json!({"id": ["any"], "problem": "double", "code": "def double(x) return"}),
        json!({"id": "none", "problem": "double", "code": "def double(x):\n    return 0\n"}),
    ];
    let lines: String = lines.iter().map(|l| format!("{l}\n")).collect();
    let (answers, _, code) = grade(&lines);
    assert_eq!(code, Some(0));
    let ids: Vec<_> = answers.iter().map(|a| a["id"].clone()).collect();
    assert_eq!(ids, [json!("right"), json!(7), json!(null), json!(["any"]), json!("none")]);
    let grades: Vec<f64> = answers.iter().map(|a| a["grade"].as_f64().unwrap()).collect();
    assert_eq!(grades, [100.0, 100.0 / 3.0, 100.0, 0.0, 100.0 / 3.0]);
    let verdicts: Vec<_> = answers.iter().map(|a| a["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed", "exception", "passed", "syntax_error", "wrong_answer"]);
    assert_eq!(answers[1]["tests"][0]["outcome"], "passed");
    assert_eq!(answers[1]["tests"][2]["outcome"], "exception");
    assert!(answers[1]["feedback"].as_str().unwrap().contains("TypeError"));
    assert!(answers[0]["instructions"].as_u64().unwrap() > 0);
    assert_eq!(answers[2]["stdout_bytes"], 10);
}

#[test]
fn broken_lines_are_answered_in_place_and_the_rest_is_graded() {
    let good = json!({"id": 1, "problem": "greet", "code": "print('Hello', input())"});
    let unknown = json!({"id": 2, "problem": "greeet", "code": ""});
    let (answers, err, code) = grade(&format!("{good}\nnot json\n\n{unknown}\n{good}\n"));
    assert_eq!(code, Some(1));
    assert_eq!(answers.len(), 4);
    assert_eq!(answers[1]["id"], Value::Null);
    assert!(answers[1]["error"].as_str().unwrap().starts_with("line 2: "));
    assert_eq!(answers[2]["id"], 2);
    assert!(answers[2]["error"].as_str().unwrap().contains("`greeet` is not in the course; nearest: `greet`"));
    assert_eq!(answers[3]["verdict"], "passed");
    assert!(err.contains("not graded"));
}

#[test]
fn the_same_input_gives_the_same_bytes_with_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("course.yaml"), COURSE).unwrap();
    let codes = [
        "import random\nprint(random.random())",
        "print({'a', 'b', 'c'}, hash('x'))",
        "import time\nprint(time.time())",
    ];
    let lines: String =
        codes.iter().map(|c| format!("{}\n", json!({"id": c, "problem": "greet", "code": c}))).collect();
    let run = |args: &[&str]| {
        let mut command = novice(folder.path());
        text(
            &command
                .args(["grade", "--course", "course.yaml"])
                .args(args)
                .write_stdin(lines.repeat(5))
                .output()
                .unwrap()
                .stdout,
        )
    };
    let one = run(&["--threads", "1", "--no-cache"]);
    assert_eq!(one.lines().count(), 15);
    assert_eq!(one, run(&["--threads", "2"]));
    assert_eq!(one, run(&["--threads", "3", "--no-cache"]));
}

#[test]
fn the_solutions_of_the_demo_course_pass() {
    let folder = tempfile::tempdir().unwrap();
    let path = repository("configs/demo/course.yaml");
    let course = novice_sandbox::Course::load(&path).unwrap();
    let mut lines = String::new();
    for problem in &course.problems {
        for (i, code) in problem.solutions.iter().enumerate() {
            lines += &format!("{}\n", json!({"id": i, "problem": problem.id, "code": code}));
        }
    }
    let out = novice(folder.path()).arg("grade").arg("--course").arg(&path).write_stdin(lines).output().unwrap();
    assert_eq!(out.status.code(), Some(0));
    let answers: Vec<Value> = text(&out.stdout).lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(answers.len() >= 32);
    for answer in answers {
        assert_eq!(answer["grade"], 100.0, "{answer}");
    }
}

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

/// Programs that look at everything that could differ from run to run.
const CURIOUS: [&str; 8] = [
    "import random\nprint(random.random(), random.sample(range(100), 5))",
    "print({'a', 'b', 'c'}, hash('x'), {1.5, 'z', (1, 2)}, frozenset('hello'))",
    "import time, datetime\nprint(time.time(), time.perf_counter_ns(), datetime.datetime.now())",
    "import os, uuid, secrets, tempfile\nprint(os.urandom(4), uuid.uuid4(), secrets.token_hex(4), os.getpid())",
    "class A: pass\nprint(A(), id(A()), [id(object()) for _ in range(3)], id(print))",
    "import gc, sys\nprint(len(gc.get_objects()), sys.getrefcount(None), gc.get_count(), len(sys.modules))",
    "import random\ndef double(x):\n    return random.choice([x, {1, 'a', 2.5}, object()])\nwhile random.random() < 0.9999: pass",
    "def double(x):\n    while x: pass\n    return {x: id(x)}",
];

#[test]
fn the_same_input_gives_the_same_bytes_with_any_number_of_threads_and_any_cache() {
    let folder = tempfile::tempdir().unwrap();
    let script = "from cs110 import autograder\nimport random\ndef test_passed():\n    out, err = autograder.run_script('p.py', [random.random()])\n    print(out, {'x', 'y'}, id(out), random.random())\n    return random.randint(0, 100)\n";
    let unit = "import program, random\ndef test_a():\n    assert random.random() == id(program.double(1))\ndef test_b():\n    assert {str(program.double(0))} == {'q', 'r'}\n";
    let more = json!([{"script": script}, {"unittest": unit}]);
    let course = format!("{COURSE}  - id: more\n    statement: s\n    tests: {more}\n");
    std::fs::write(folder.path().join("course.yaml"), course).unwrap();
    let mut lines = String::new();
    for (number, code) in CURIOUS.iter().cycle().take(3 * CURIOUS.len()).enumerate() {
        let problem = ["greet", "double", "more"][number % 3];
        lines += &format!("{}\n", json!({"id": number, "problem": problem, "code": code}));
    }
    let run = |args: &[&str]| {
        let mut command = novice(folder.path());
        // A cache of reports that is this test's own.
        command.env("XDG_CACHE_HOME", folder.path().join("cache")).args(["grade", "--course", "course.yaml"]);
        let out = command.args(["--timeout-ms", "400"]).args(args).write_stdin(lines.clone()).output().unwrap();
        assert_eq!(out.status.code(), Some(0));
        text(&out.stdout)
    };
    let one = run(&["--threads", "1", "--no-cache"]);
    assert_eq!(one.lines().count(), 3 * CURIOUS.len());
    for args in
        [["--threads", "2"].as_slice(), &["--threads", "4", "--no-cache"], &["--keep-reports"], &["--keep-reports"]]
    {
        assert_eq!(one, run(args), "{args:?}");
    }
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

#[test]
fn reports_kept_on_disk_give_the_same_bytes_and_settings_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("course.yaml"), COURSE).unwrap();
    let line =
        json!({"id": 1, "problem": "greet", "code": "import random\nprint(random.random(), {'a', 'b'}, id([]))"});
    let run = |args: &[&str]| {
        let mut command = novice(folder.path());
        command.args(["grade", "--course", "course.yaml"]).args(args).write_stdin(format!("{line}\n")).output().unwrap()
    };
    let plain = run(&["--no-cache"]);
    let kept = run(&["--keep-reports", "--memory-mb", "200"]);
    assert_eq!(text(&kept.stdout), text(&plain.stdout));
    assert_eq!(text(&run(&["--keep-reports", "--memory-mb", "200"]).stdout), text(&plain.stdout));
    assert!(text(&plain.stderr).contains("wrong_answer        1  100.0 %"), "{}", text(&plain.stderr));
    assert!(!text(&plain.stderr).contains('\r'), "no progress bar where there is no terminal");
    for (args, says) in [
        (["--memory-mb", "1"], "memory_mb is 1, expected 64 to 4096"),
        (["--timeout-ms", "0"], "timeout_ms is 0, expected 1 to 3600000"),
        (["--deviation", "silent"], "expected one of silent_prompts"),
    ] {
        let out = run(&args);
        assert_ne!(out.status.code(), Some(0));
        assert!(text(&out.stderr).contains(says), "{}", text(&out.stderr));
    }
}

#[test]
fn deviations_of_the_published_grader_are_switches() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("course.yaml"), COURSE).unwrap();
    let line = json!({"id": 1, "problem": "greet", "code": "print('Hello', input('name? '))"});
    let verdict = |args: &[&str]| {
        let mut command = novice(folder.path());
        let out = command
            .args(["grade", "--course", "course.yaml"])
            .args(args)
            .write_stdin(line.to_string())
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&out.stdout).unwrap()["verdict"].clone()
    };
    assert_eq!(verdict(&[]), "wrong_answer");
    assert_eq!(verdict(&["--deviation", "silent_prompts"]), "passed");
}

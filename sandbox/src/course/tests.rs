//! Courses: what is read, and golden texts of what is refused.

use super::*;

fn error(yaml: &str) -> String {
    Course::from_yaml(yaml, "course.yaml").unwrap_err().to_string()
}

/// A problem with this test in lines 4 and on.
fn with_test(test: &str) -> String {
    format!("problems:\n  - id: p\n    statement: s\n    tests: [{test}]\n")
}

#[test]
fn reads_all_kinds_with_their_defaults() {
    let course = Course::from_yaml(
        r#"
name: demo
problems:
  - id: p
    statement: "Do it."
    filename: area.py
    solution: "x = 1"
    tests:
      - {call: "area(2)", expect: "[1, 2.5]", tolerance: 0.1, weight: 2, name: two, hidden: true, timeout_ms: 50}
      - {stdin: "", stdout: "9"}
      - {script: "def test_passed(): return 1", max_score: 5}
      - {unittest: "def test_a(): pass"}
"#,
        "demo.yaml",
    )
    .unwrap();
    let problem = course.problem("p").unwrap();
    assert_eq!((problem.module(), problem.import_names()), ("area", vec!["area".into(), "p".into(), "program".into()]));
    assert_eq!(problem.solutions, ["x = 1"]);
    let [call, io, script, unit] = problem.tests.as_slice() else { panic!("four tests") };
    assert!(matches!(&call.kind, TestKind::Call { value, tolerance: Some(_), .. } if value.repr(50) == "[1, 2.5]"));
    assert_eq!((call.weight, call.hidden, call.timeout_ms, call.name.as_deref()), (2.0, true, Some(50), Some("two")));
    assert!(matches!(&io.kind, TestKind::Io { matching: Matching::Lines, tolerance: None, .. }));
    assert!(matches!(&script.kind, TestKind::Script { max_score: 5.0, .. }));
    assert!(matches!(&unit.kind, TestKind::Unittest { .. }));
    assert_eq!((unit.weight, unit.hidden), (1.0, false));
}

#[test]
fn unquoted_yaml_scalars_are_literals_too() {
    let course = Course::from_yaml(&with_test("{call: f(), expect: 6}, {call: f(), expect: true}"), "c")
        .map(|_| ())
        .unwrap_err();
    // YAML's `true` is no Python literal, and the message says what to do.
    insta::assert_snapshot!(course, @"c:4: problems[0].tests[1].expect: is not a Python literal: column 1: `true` is not a literal; a string needs quotes");
}

#[test]
fn errors_name_file_line_field_and_what_to_do() {
    insta::assert_snapshot!(error(&with_test("{call: f(), expect: abc}")), @"course.yaml:4: problems[0].tests[0].expect: is not a Python literal: column 1: `abc` is not a literal; a string needs quotes");
    insta::assert_snapshot!(error(&with_test("{call: f()}")), @"course.yaml:4: problems[0].tests[0].expect: is missing; write the value that the call must give");
    insta::assert_snapshot!(error(&with_test("{expect: '1'}")), @"course.yaml:4: problems[0].tests[0].call: is missing; write the expression whose value is expected");
    insta::assert_snapshot!(error(&with_test("{name: x}")), @"course.yaml:4: problems[0].tests[0]: has no kind; give `call` and `expect`, or `stdin` and `stdout`, or `script`, or `unittest`");
    insta::assert_snapshot!(error(&with_test("{call: f(), expect: '1', stdout: x}")), @"course.yaml:4: problems[0].tests[0]: mixes the kinds call and io; make them separate tests");
    insta::assert_snapshot!(error(&with_test("{stdin: x}")), @"course.yaml:4: problems[0].tests[0].stdout: is missing; write what the program must print");
    insta::assert_snapshot!(error(&with_test("{call: f(), expect: '1', weight: 0}")), @"course.yaml:4: problems[0].tests[0].weight: is 0, expected a number above 0");
    insta::assert_snapshot!(error(&with_test("{call: f(), expect: '1', timeout_ms: 0}")), @"course.yaml:4: problems[0].tests[0].timeout_ms: is 0, expected 1 to 3600000");
    insta::assert_snapshot!(error(&with_test("{stdout: x, match: fuzzy}")), @"course.yaml:4: unknown variant `fuzzy`, expected one of exact, tokens, lines, contains");
    insta::assert_snapshot!(error(&with_test("{stdout: x, colour: red}")), @"course.yaml:4: unknown field `colour`, expected one of name, weight, hidden, timeout_ms, call, expect, tolerance, stdin, stdout, match, script, max_score, unittest");
    insta::assert_snapshot!(error(&with_test("{script: x, tolerance: 1}")), @"course.yaml:4: problems[0].tests[0].tolerance: does not go with a test of kind script");
    insta::assert_snapshot!(error(&with_test("")), @"course.yaml:2: problems[0].tests: is empty; a problem needs at least one test");
    insta::assert_snapshot!(error("problems:\n  - {id: a, statement: s, tests: [{stdout: x}]}\n  - {id: a, statement: s, tests: [{stdout: x}]}\n"), @"course.yaml:3: problems[1].id: `a` is also the id of the problem in line 2; ids must be unique");
    insta::assert_snapshot!(error("problems:\n  - {id: a, tests: [{stdout: x}]}\n"), @"course.yaml:2: problems[0].statement: is missing; write what the student is asked");
    insta::assert_snapshot!(error("problems:\n  - {id: a, statement: s, filename: a/b, tests: [{stdout: x}]}\n"), @"course.yaml:2: problems[0].filename: is `a/b`, expected a name such as `area.py`");
    insta::assert_snapshot!(error("problems: []\n"), @"course.yaml:1: the course has no problems; add at least one under `problems:`");
    insta::assert_snapshot!(error("problems:\n  - id: [\n"), @"course.yaml:2: expected string scalar");
    insta::assert_snapshot!(error("name: x\nname: y\nproblems: []\n"), @"course.yaml:2: duplicate mapping key: name");
}

#[test]
fn a_folder_of_files_is_a_course() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    assert!(Course::load(folder.path()).unwrap_err().to_string().contains("no problem files"));
    write("02-b.md", "---\ntests:\n  - {stdout: hi}\n---\n# Greet\n\nSay hi.\n");
    write("01-a.yaml", "id: first\nstatement: s\ntests: [{stdout: x}]\n");
    write("README.md", "not a problem");
    let course = Course::load(folder.path()).unwrap();
    let ids: Vec<&str> = course.problems.iter().map(|p| p.id.as_str()).collect();
    assert_eq!(ids, ["first", "02-b"]);
    assert_eq!(course.problems[1].statement, "# Greet\n\nSay hi.");
    write("02-b.md", "---\nname: x\ntests:\n  - {stdout: hi, call: f()}\n---\nSay hi.\n");
    assert!(Course::load(folder.path()).unwrap_err().to_string().contains("02-b.md:2: "));
    write("02-b.md", "---\ntests:\n  - {stdout: hi, call: f()}\n---\nSay hi.\n");
    let message = Course::load(folder.path()).unwrap_err().to_string();
    assert!(
        message.ends_with("02-b.md:3: tests[0]: mixes the kinds call and io; make them separate tests"),
        "{message}"
    );
    assert!(
        Course::load("/nonexistent/course.yaml".as_ref())
            .unwrap_err()
            .to_string()
            .starts_with("/nonexistent/course.yaml: ")
    );
}

#[test]
fn the_digest_sees_what_a_report_depends_on() {
    let digest = |yaml: String| Course::from_yaml(&yaml, "c").unwrap().problems[0].digest;
    let base = digest(with_test("{stdout: x}"));
    assert_eq!(base, digest(with_test("{stdout: 'x'}")));
    assert_ne!(base, digest(with_test("{stdout: y}")));
    assert_ne!(base, digest(with_test("{stdout: x, weight: 2}")));
    assert_eq!(base, digest(with_test("{stdout: x}").replace("statement: s", "statement: other")));
}

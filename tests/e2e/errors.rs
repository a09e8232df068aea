//! Wrong input: file, line, field and advice; exit status 2; nothing half-written.

use super::{novice, repository, text, with_course};
use std::fs;
use std::path::Path;

/// A folder with a valid small configuration, which the test then spoils.
fn folder() -> tempfile::TempDir {
    let line = |n: usize, code: &str| {
        format!("{}\n", serde_json::json!({"student": "s1", "problem": "total", "attempt": n, "code": code}))
    };
    let logs =
        line(1, "def total(numbers):\n    return 0\n") + &line(2, "def total(numbers):\n    return sum(numbers)\n");
    with_course(&[("logs.jsonl", &logs)])
}

fn refused(folder: &Path, config: &str, args: &[&str]) -> String {
    fs::write(folder.join("run.yaml"), config).unwrap();
    let out = novice(folder).args(["train", "run.yaml"]).args(args).output().unwrap();
    let err = text(&out.stderr);
    assert_eq!(out.status.code(), Some(2), "{err}");
    assert!(!folder.join("runs").exists(), "something was written");
    assert!(!err.contains("panicked"), "{err}");
    err
}

const DATA: &str = "data:\n  course: course.yaml\n  traces: logs.jsonl\n";

#[test]
fn a_misspelt_key_names_file_line_and_the_key_that_was_meant() {
    let folder = folder();
    let err = refused(folder.path(), &format!("seed: 1\n{DATA}sft:\n  epoch: 3\n"), &[]);
    assert!(err.contains("run.yaml:6: sft.epoch: there is no such field: `epoch`; did you mean `epochs`?"), "{err}");
}

#[test]
fn all_problems_are_said_at_once() {
    let folder = folder();
    let config = format!("sead: 1\n{DATA}dapo:\n  group_size: 1\n  clip_low: 1.5\nmodel:\n  dtype: float31\n");
    let err = refused(folder.path(), &config, &[]);
    assert!(err.contains("run.yaml:1: sead: there is no such field: `sead`; did you mean `seed`?"), "{err}");
    assert!(err.contains("run.yaml:6: dapo.group_size: at least 2 is expected, found 1"), "{err}");
    assert!(err.contains("run.yaml:7: dapo.clip_low: "), "{err}");
    assert!(
        err.contains("run.yaml:9: model.dtype: there is no such value: `float31`; did you mean `float32`?"),
        "{err}"
    );
}

#[test]
fn overrides_are_checked_like_the_file() {
    let folder = folder();
    let err = refused(folder.path(), DATA, &["--set", "sft.epochs=many", "--set", "sft.epochz=1", "--set", "nonsense"]);
    assert!(err.contains("--set: sft.epochs: "), "{err}");
    assert!(err.contains("did you mean `epochs`?"), "{err}");
    assert!(err.contains("--set nonsense"), "{err}");
}

#[test]
fn a_broken_trace_line_is_named() {
    let folder = folder();
    let path = folder.path().join("logs.jsonl");
    let logs = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{logs}{{\"student\": \"s1\", \"problem\"\n")).unwrap();
    let err = refused(folder.path(), DATA, &[]);
    assert!(err.contains("logs.jsonl:3:"), "{err}");
    let wrong = serde_json::json!({"student": "s1", "problem": "total", "attempt": 3, "code": "x", "grade": 300});
    fs::write(&path, format!("{logs}{wrong}\n")).unwrap();
    let err = refused(folder.path(), DATA, &[]);
    assert!(err.contains("logs.jsonl:3: grade: "), "{err}");
}

#[test]
fn missing_files_are_named() {
    let folder = folder();
    let err = refused(folder.path(), &format!("{DATA}tokenizer: {{path: tok}}\n").replace("logs", "nothing"), &[]);
    assert!(err.contains("run.yaml:3: data.traces: ") && err.contains("nothing.jsonl does not exist; "), "{err}");
    assert!(err.contains("run.yaml:4: tokenizer.path: "), "{err}");
    let err = refused(folder.path(), DATA, &["--set", "model.path=nowhere"]);
    assert!(err.contains("--set: model.path: ") && err.contains("nowhere does not exist; "), "{err}");
    fs::create_dir(folder.path().join("model")).unwrap();
    let err = refused(folder.path(), &format!("{DATA}model:\n  path: model\n"), &[]);
    assert!(err.contains("model"), "{err}");
    let err = refused(folder.path(), &DATA.replace("course.yaml", "no-course.yaml"), &[]);
    assert!(err.contains("run.yaml:2: data.course: ") && err.contains("no-course.yaml does not exist; "), "{err}");
    let out = novice(folder.path()).args(["train", "absent.yaml"]).output().unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("absent.yaml"));
}

#[test]
fn every_configuration_of_the_repository_can_be_read() {
    let mut seen = 0;
    for entry in fs::read_dir(repository("configs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let text = fs::read_to_string(&path).unwrap();
            novice::config::Run::parse(&text, "", Path::new(""), "name", &[]).unwrap();
            seen += 1;
        }
    }
    assert!(seen >= 2);
}

//! Tests of [`super::load`] from file to statistics, through the real sandbox.

use super::testing::{course, pool};
use super::{Dataset, load};
use crate::config::{DataSettings, FilterSettings, Source, SplitBy, SplitSettings};
use crate::error::Result;
use novice_sandbox::{Course, Outcome};
use std::cell::Cell as Counter;
use std::io::Write;
use std::path::Path;

fn row(student: &str, problem: &str, attempt: u32, code: &str, grade: f64) -> String {
    let row =
        serde_json::json!({"student": student, "problem": problem, "attempt": attempt, "code": code, "grade": grade});
    format!("{row}\n")
}

fn load_rows(rows: &[String], settings: DataSettings) -> Result<Dataset> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rows.concat().as_bytes()).unwrap();
    let settings = DataSettings { traces: Some(file.path().into()), ..settings };
    load(&settings, &course(&[("one", "Set `x`.", ""), ("two", "Set `x`.", "")]), pool(), 7, &|_, _| {})
}

#[test]
fn a_log_becomes_graded_trajectories() {
    let rows = [
        row("b", "one", 2, "x = 1", 100.0),
        row("b", "one", 1, "x = 2", 0.0),
        row("a", "two", 1, "x = (", 0.0),
        row("a", "two", 2, "x = (  # why", 0.0),
        row("a", "two", 3, "x = 1", 0.0),
        row("a", "two", 4, "x = 3", 0.0),
        row("c", "one", 1, "x = 1", 100.0),
    ];
    let data = load_rows(&rows, DataSettings::default()).unwrap();
    let all: Vec<_> = data.train.iter().chain(data.held_out.iter().map(|h| &h.trajectory)).collect();
    let find = |student: &str| all.iter().find(|t| t.student == student);
    let b = find("b").unwrap();
    assert_eq!(b.grades(), [0.0, 100.0]);
    assert_eq!((b.steps[0].code.as_str(), b.steps[0].attempt), ("x = 2", 1));
    let a = find("a").unwrap();
    // The second is the first again, up to taste; what follows full marks is dropped.
    assert_eq!(a.steps.iter().map(|s| s.report.verdict).collect::<Vec<_>>(), [Outcome::SyntaxError, Outcome::Passed]);
    assert!(a.steps[1].disagrees() && a.solved());
    assert!(find("c").is_none(), "shorter than min_submissions");
    assert_eq!((data.audit.grades.recorded, data.audit.grades.sandbox_higher), (6, 1));
    assert_eq!((data.train.len(), data.held_out.len()), (1, 1));
    assert_eq!(data.statistics.splits[0].trajectories, 1);
}

#[test]
fn equal_programs_are_run_once() {
    let calls = Counter::new(0);
    let rows: Vec<String> = (0..5).map(|i| row(&format!("s{i}"), "one", 1, "x = 1", 100.0)).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(rows.concat().as_bytes()).unwrap();
    let filters = FilterSettings { min_submissions: 1, ..FilterSettings::default() };
    let settings = DataSettings { traces: Some(file.path().into()), filters, ..DataSettings::default() };
    let progress = |done: usize, total: usize| {
        assert_eq!((done, total), (1, 1));
        calls.set(calls.get() + 1);
    };
    load(&settings, &course(&[("one", "Set `x`.", "")]), pool(), 7, &progress).unwrap();
    assert_eq!(calls.get(), 1);
}

#[test]
fn what_cannot_be_used_is_an_error_that_says_why() {
    let unknown = load_rows(&[row("a", "tow", 1, "x", 0.0)], DataSettings::default()).unwrap_err().to_string();
    assert!(unknown.contains("`tow` (rows: 1); did you mean `two`?"), "{unknown}");
    let short = load_rows(&[row("a", "one", 1, "x", 0.0)], DataSettings::default()).unwrap_err().to_string();
    assert!(short.contains("the filters leave no trajectory") && short.contains("min_submissions"), "{short}");
    let none = load(&DataSettings::default(), &course(&[("one", "", "")]), pool(), 7, &|_, _| {}).unwrap_err();
    assert!(none.to_string().contains("data.traces: missing"), "{none}");
    let synthetic = DataSettings { source: Source::Synthetic, ..DataSettings::default() };
    let none = load(&synthetic, &course(&[("one", "", "")]), pool(), 7, &|_, _| {}).unwrap_err().to_string();
    assert!(none.contains("`solutions`"), "{none}");
}

#[test]
fn synthetic_learners_are_the_same_each_time() {
    let demo = concat!(env!("CARGO_MANIFEST_DIR"), "/../configs/demo/course.yaml");
    let demo = Course::load(Path::new(demo)).unwrap();
    let mut settings = DataSettings { source: Source::Synthetic, ..DataSettings::default() };
    settings.synthetic.students = 4;
    settings.synthetic.problems_per_student = 4;
    settings.split = SplitSettings { by: SplitBy::Student, held_out_students: 0.25, held_out_problems: 0.0 };
    let run = |seed| load(&settings, &demo, pool(), seed, &|_, _| {}).unwrap();
    let (a, b) = (run(7), run(7));
    assert_eq!(a.train, b.train);
    assert_eq!(a.held_out, b.held_out);
    assert_ne!(a.train, run(8).train);
    assert!(a.train.iter().all(|t| t.steps.len() >= 2));
    assert!(a.train.iter().any(|t| t.solved()), "some learner arrives");
    assert_eq!(a.audit.grades.recorded, 0);
}

/// A whole log: `NOVICE_TRACES` is a folder with `course.yaml` and `traces.jsonl`. Prints what `novice traces` prints.
#[test]
#[ignore = "needs a folder with course.yaml and traces.jsonl: NOVICE_TRACES"]
fn a_folder_of_real_traces() {
    let folder = std::env::var("NOVICE_TRACES").expect("NOVICE_TRACES names a folder");
    let folder = Path::new(&folder);
    let course = Course::load(&folder.join("course.yaml")).unwrap();
    let settings = DataSettings { traces: Some(folder.join("traces.jsonl")), ..DataSettings::default() };
    let started = std::time::Instant::now();
    let total = Counter::new(0);
    let data = load(&settings, &course, pool(), 7, &|_, all| total.set(all)).unwrap();
    println!("{}\n{}", data.audit.render(), data.statistics.render());
    println!("{} programs graded; {:.1} s in all", total.get(), started.elapsed().as_secs_f64());
    for pair in data.audit.rows.windows(2) {
        assert_eq!(pair[0].submissions_left, pair[1].submissions_left + pair[1].submissions_dropped);
    }
    let differ = data.audit.grades.sandbox_higher + data.audit.grades.sandbox_lower;
    assert!(differ * 20 <= data.audit.grades.recorded, "more than one grade in twenty differs");
}

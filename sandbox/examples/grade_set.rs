//! Grade a recorded set of submissions and compare with what was recorded.
//!
//! `cargo run --release -p novice-sandbox --example grade_set -- COURSE.yaml SUBMISSIONS.jsonl [THREADS] [--no-reset]`
//!
//! Each line of the set: `{"problem", "code", "grade"?, "tests"?}`. Prints throughput, agreement, and every difference.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use novice_sandbox::{Course, Engine, EngineOptions, FeedbackLevel, Pool};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (flags, plain): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|a| a.starts_with("--"));
    let [course, set, rest @ ..] = plain.as_slice() else {
        return Err("usage: grade_set COURSE SET.jsonl [THREADS] [--no-reset]".into());
    };
    let threads = rest.first().map_or(Ok(2), |n| n.parse())?;
    let course = Course::load(Path::new(course.as_str()))?;
    let start = Instant::now();
    let reset = !flags.iter().any(|f| *f == "--no-reset");
    let engine = Engine::open(&EngineOptions { cached_reports: 0, reset, ..EngineOptions::default() })?;
    println!(
        "engine open in {:.0} ms (from cache: {}, resets: {})",
        start.elapsed().as_secs_f64() * 1e3,
        engine.from_cache(),
        engine.resets()
    );
    let pool = Pool::new(engine, threads)?;
    let mut lines = Vec::new();
    let mut jobs = Vec::new();
    for line in std::fs::read_to_string(set.as_str())?.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let id = line["problem"].as_str().unwrap_or_default();
        let problem = course.problem(id).ok_or_else(|| format!("no problem {id}"))?;
        jobs.push((problem.clone(), line["code"].as_str().unwrap_or_default().to_string()));
        lines.push(line);
    }
    let start = Instant::now();
    let reports = pool.grade_all(jobs);
    let seconds = start.elapsed().as_secs_f64();
    println!("{} submissions, {threads} threads: {seconds:.2} s, {:.0}/s", lines.len(), lines.len() as f64 / seconds);
    let (mut graded, mut same_grade, mut same_tests, mut tests) = (0, 0, 0, 0);
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for (line, report) in lines.iter().zip(&reports) {
        let Some(grade) = line["grade"].as_f64() else { continue };
        graded += 1;
        let same = (grade - report.grade).abs() < 1e-9;
        same_grade += usize::from(same);
        let recorded: Vec<&str> =
            line["tests"].as_array().map(|t| t.iter().filter_map(|o| o.as_str()).collect()).unwrap_or_default();
        for (recorded, test) in recorded.iter().zip(&report.tests) {
            tests += 1;
            same_tests += usize::from(*recorded == test.outcome.name());
            if *recorded != test.outcome.name() {
                *kinds.entry(format!("{recorded} -> {}", test.outcome)).or_default() += 1;
            }
        }
        if !same && flags.iter().any(|f| *f == "--show") {
            println!(
                "--- {} {} recorded {grade} {recorded:?}, here {}\n{}\n{}",
                line["id"],
                line["problem"],
                report.grade,
                line["code"].as_str().unwrap_or_default(),
                report.feedback(FeedbackLevel::Full)
            );
        }
    }
    println!("grades equal: {same_grade} of {graded} ({:.3} %)", 100.0 * same_grade as f64 / f64::from(graded));
    println!("outcomes equal: {same_tests} of {tests}; differences: {kinds:?}");
    let instructions: u64 = reports.iter().map(|r| r.instructions).sum();
    println!("instructions: {instructions}");
    Ok(())
}

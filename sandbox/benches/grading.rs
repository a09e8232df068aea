//! How long gradings take: `cargo bench -p novice-sandbox`. The result cache is off.
//!
//! Latency of one grading at a time, for a program of one line and for typical ones; throughput with one and with two threads; opening
//! the sandbox with a warm code cache, and its first grading. `examples/latency.rs` measures the same without a framework.

use std::sync::{Arc, OnceLock};

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use novice_sandbox::{Course, Engine, EngineOptions, Outcome, Pool, Problem};

/// Forty lines that read grades and print statistics, as a first-year student writes them.
const GRADES: &str = include_str!("grades.py");

/// What is graded: name, tests as YAML, program.
const CASES: [(&str, &str, &str); 4] = [
    ("trivial", r#"[{stdin: "", stdout: hi}]"#, "print('hi')\n"),
    (
        "typical_io",
        r#"[&t {stdin: "70\n85.5\n91\n64\n88\n\n", stdout: mean 79.70, match: contains}, *t, *t, *t, *t]"#,
        GRADES,
    ),
    (
        "eleven_calls",
        r#"[&t {call: f(9), expect: "81"}, *t, *t, *t, *t, *t, *t, *t, *t, *t, *t]"#,
        "def f(n):\n    return n * n\n",
    ),
    (
        "script",
        r#"[{script: "from cs110 import autograder\nimport random\ndef test_passed():\n    score = 0\n    for i in range(5):\n        values = [random.randint(0, 99) for _ in range(8)]\n        out, err = autograder.run_script('task.py', values + [''])\n        if err == '' and autograder.equals(out.split('mean ')[1].split()[0], sum(values) / 8):\n            score += 20\n    return score\n"}]"#,
        GRADES,
    ),
];

fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(open).clone()
}

/// # Panics
/// When the sandbox cannot be set up: there is nothing to measure then.
fn open() -> Engine {
    match Engine::open(&EngineOptions { cached_reports: 0, ..EngineOptions::default() }) {
        Ok(engine) => engine,
        Err(error) => stop(&error.to_string()),
    }
}

fn pool(threads: usize) -> Pool {
    Pool::new(engine(), threads).unwrap_or_else(|error| stop(&error.to_string()))
}

fn stop(reason: &str) -> ! {
    eprintln!("error: {reason}");
    std::process::exit(1)
}

fn case(name: &str) -> (Arc<Problem>, &'static str) {
    let Some((_, tests, code)) = CASES.iter().find(|case| case.0 == name) else { stop("no such case") };
    let yaml = format!("problems: [{{id: task, statement: s, tests: {tests}}}]");
    match Course::from_yaml(&yaml, "bench").map(|course| course.problems.into_iter().next()) {
        Ok(Some(problem)) => (problem, code),
        Ok(None) => stop("a course without problems"),
        Err(error) => stop(&error.to_string()),
    }
}

#[divan::bench(args = CASES.map(|case| case.0))]
fn latency(bencher: Bencher, name: &str) {
    let (problem, code) = case(name);
    let pool = pool(1);
    let check = pool.submit(problem.clone(), code.into()).wait();
    if check.verdict != Outcome::Passed {
        stop(&format!("{name} does not pass: {check:?}"));
    }
    bencher.bench(|| pool.submit(problem.clone(), code.into()).wait());
}

/// A hundred gradings a sample.
#[divan::bench(args = [1, 2], sample_count = 20)]
fn throughput(bencher: Bencher, threads: usize) {
    let (problem, code) = case("typical_io");
    let pool = pool(threads);
    bencher
        .counter(ItemsCount::new(100usize))
        .bench(|| pool.grade_all((0..100).map(|_| (problem.clone(), code.to_string()))));
}

/// The code cache is warm: `engine` has filled it.
#[divan::bench(sample_count = 20)]
fn start_up(bencher: Bencher) {
    engine();
    let (problem, code) = case("trivial");
    bencher.bench(|| {
        let opened = Pool::new(open(), 1).unwrap_or_else(|error| stop(&error.to_string()));
        black_box(opened.submit(problem.clone(), code.into()).wait())
    });
}

fn main() {
    divan::main();
}

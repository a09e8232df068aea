//! How long gradings take: `cargo run --release -p novice-sandbox --example latency -- [RUNS]`
//!
//! Median and minimum of one grading at a time for a few sorts of programs, then throughput with one and two threads. The result cache is off.

use std::sync::Arc;
use std::time::Instant;

use novice_sandbox::{Course, Engine, EngineOptions, Grader, Outcome, Pool, Problem};

const GRADES: &str = include_str!("../benches/grades.py");

const SCRIPT: &str = r#"
from cs110 import autograder
import random
def test_passed():
    score = 0
    for i in range(5):
        values = [random.randint(0, 99) for _ in range(8)]
        out, err = autograder.run_script("task.py", values + [""])
        if err == "" and autograder.equals(out.split("mean ")[1].split()[0], sum(values) / 8):
            score += 20
    return score
"#;

fn problem(tests: serde_json::Value) -> Arc<Problem> {
    let yaml = format!("problems: [{{id: task, statement: s, tests: {tests}}}]");
    Course::from_yaml(&yaml, "latency")
        .map(|course| course.problems.into_iter().next())
        .ok()
        .flatten()
        .unwrap_or_else(|| std::process::exit(1))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runs: usize = std::env::args().nth(1).map_or(Ok(300), |n| n.parse())?;
    let start = Instant::now();
    let engine = Engine::open(&EngineOptions { cached_reports: 0, ..EngineOptions::default() })?;
    println!("open: {:.0} ms (machine code from cache: {})", start.elapsed().as_secs_f64() * 1e3, engine.from_cache());
    let typed = "70\n85.5\n91\n64\n88\n\n";
    let typical = serde_json::json!({"stdin": typed, "stdout": "mean 79.70", "match": "contains"});
    let call = |n: i32| serde_json::json!({"call": format!("f({n})"), "expect": (n * n).to_string()});
    let cases = [
        ("trivial: print, 1 test", problem(serde_json::json!([{"stdin": "", "stdout": "hi"}])), "print('hi')\n"),
        (
            "typical: 40 lines, 5 io tests",
            problem(serde_json::json!([typical, typical, typical, typical, typical])),
            GRADES,
        ),
        (
            "calls: 2 lines, 11 call tests",
            problem((0..11).map(call).collect::<Vec<_>>().into()),
            "def f(n):\n    return n * n\n",
        ),
        ("script: 40 lines, 5 run_script", problem(serde_json::json!([{"script": SCRIPT}])), GRADES),
    ];
    let measure = |engine: Engine| -> Result<(), novice_sandbox::Error> {
        let mut grader = Grader::new(&engine)?;
        for (name, problem, code) in &cases {
            let mut times = Vec::with_capacity(runs);
            let mut report = grader.grade(problem, code)?;
            for _ in 0..runs {
                let start = Instant::now();
                report = grader.grade(problem, code)?;
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
            times.sort_by(f64::total_cmp);
            let (least, median) = (times.first().copied().unwrap_or(0.0), times.get(runs / 2).copied().unwrap_or(0.0));
            let verdict = if report.verdict == Outcome::Passed { "" } else { " NOT PASSED" };
            println!(
                "{name}: min {least:.3} ms, median {median:.3} ms, {:.2} M instructions{verdict}",
                report.instructions as f64 / 1e6
            );
        }
        Ok(())
    };
    let shared = engine.clone();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, || measure(shared));
        thread.map_err(Box::<dyn std::error::Error>::from)?.join().map_err(|_| "a thread panicked")?.map_err(Box::from)
    })
    .map_err(|error: Box<dyn std::error::Error>| error)?;
    for threads in [1, 2] {
        let pool = Pool::new(engine.clone(), threads)?;
        for (name, problem, code) in &cases {
            let start = Instant::now();
            pool.grade_all((0..runs * threads).map(|_| (problem.clone(), code.to_string())));
            println!("{threads} threads, {name}: {:.0}/s", (runs * threads) as f64 / start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

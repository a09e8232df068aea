//! The sandbox from outside: every kind of test, what students see, attacks, determinism. One binary, so that one engine serves all.

#![allow(clippy::unwrap_used, clippy::expect_used)] // the helpers below are test code outside of test functions

mod attacks;
mod calls;
mod cli_shape;
mod determinism;
mod literals;
mod outputs;
mod scripts;
mod traces;
mod unittests;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use novice_sandbox::{Course, Engine, EngineOptions, Outcome, Pool, Problem, Report};

/// Settings of the shared engine: compiled code is kept in the target folder; a short time limit, since attacks use all of it.
pub(crate) fn options() -> EngineOptions {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("novice-cache");
    EngineOptions { cache_dir: Some(cache), timeout_ms: 300, max_instances: 8, ..EngineOptions::default() }
}

pub(crate) fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::open(&options()).unwrap()).clone()
}

pub(crate) fn pool() -> &'static Pool {
    static POOL: OnceLock<Pool> = OnceLock::new();
    POOL.get_or_init(|| Pool::new(engine(), 2).unwrap())
}

/// A problem whose YAML fields are `fields` (indented by four).
pub(crate) fn problem(fields: &str) -> Arc<Problem> {
    let yaml = format!("problems:\n  - id: task\n    statement: s\n{fields}\n");
    Course::from_yaml(&yaml, "test.yaml").unwrap().problems[0].clone()
}

/// A problem with these tests: a JSON array, which is YAML too.
pub(crate) fn problem_with(tests: serde_json::Value) -> Arc<Problem> {
    problem(&format!("    tests: {tests}"))
}

pub(crate) fn grade(problem: &Arc<Problem>, code: &str) -> Report {
    pool().submit(problem.clone(), code.to_string()).wait()
}

pub(crate) fn outcomes(report: &Report) -> Vec<Outcome> {
    report.tests.iter().map(|test| test.outcome).collect()
}

/// The only test's message.
pub fn message(report: &Report) -> &str {
    &report.tests[0].message
}

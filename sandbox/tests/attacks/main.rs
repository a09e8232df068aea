//! The attack corpus (`tests/attacks/`): every program gets its verdict, earns nothing, learns nothing, leaves nothing behind.
//!
//! | file | job |
//! |---|---|
//! | `corpus` | read the programs and what their headers say |
//! | `problems` | what they are run against: a problem of each kind, with answers that nobody knows |
//! | `checks` | what must hold of a report |
//!
//! After every attack the same grader grades an honest program; its report must be the one that an untouched grader gives. With
//! `ATTACKS_SHOW=text` the verdicts of the programs whose title contains the text are printed, in the form of a header.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // test code outside of test functions

mod checks;
mod corpus;
mod problems;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use novice_sandbox::{Engine, EngineOptions, Grader, Outcome, Report};

use corpus::{Attack, KINDS, TIMEOUT_MS};

/// A grading thread needs a large stack (see `Grader`).
const STACK: usize = 64 << 20;

fn engine() -> Engine {
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("novice-cache");
    let options = EngineOptions {
        cache_dir: Some(cache),
        timeout_ms: TIMEOUT_MS,
        max_instances: 16,
        cached_reports: 0,
        ..EngineOptions::default()
    };
    Engine::open(&options).unwrap()
}

/// Run one attack against each of its kinds → what is wrong, and the verdicts.
fn run(attack: &Attack, grader: &mut Grader, honest: &Report) -> (Vec<String>, BTreeMap<&'static str, Outcome>) {
    let (mut wrong, mut found) = (Vec::new(), BTreeMap::new());
    for (kind, expected) in &attack.verdicts {
        let problem = problems::problem(kind, attack);
        let start = std::time::Instant::now();
        let report = grader.grade(&problem.problem, &attack.code).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        found.insert(*kind, report.verdict);
        let mut complaints = checks::check(attack, kind, &problem, &report, *expected);
        // Tests that are not hidden are run at once. What loops uses up its time there and is run as above.
        if *expected != Outcome::Timeout && (*kind == "call" || *kind == "io") {
            let mut open = (*problem.problem).clone();
            open.tests.iter_mut().for_each(|test| test.hidden = false);
            let report = grader.grade(&open, &attack.code).unwrap();
            complaints.extend(checks::earns(&report));
        }
        if seconds > 60.0 {
            complaints.push(format!("took {seconds:.0} s"));
        }
        if grader.grade(&problems::honest(), problems::HONEST).unwrap() != *honest {
            complaints.push("the next submission's report is another than it would be".into());
        }
        println!("{seconds:7.3} s {} `{}` ({kind})", attack.file, attack.title);
        if std::env::var_os("ATTACKS_SHOW").is_some_and(|text| attack.title.contains(&*text.to_string_lossy())) {
            println!("{} ({kind}, {seconds:.2} s): {report:#?}", attack.title);
        }
        wrong.extend(complaints.into_iter().map(|c| format!("{} `{}`, {kind}: {c}", attack.file, attack.title)));
    }
    (wrong, found)
}

#[test]
fn no_attack_earns_learns_or_leaves_anything() {
    let attacks = corpus::read();
    let engine = engine();
    let (next, wrong, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let work = || {
                let honest = Grader::new(&engine).unwrap().grade(&problems::honest(), problems::HONEST).unwrap();
                assert_eq!(
                    honest.tests.iter().filter(|test| test.outcome == Outcome::Passed).count(),
                    6,
                    "{honest:#?}"
                );
                let mut grader = Grader::new(&engine).unwrap();
                while let Some(attack) = attacks.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (complaints, verdicts) = run(attack, &mut grader, &honest);
                    wrong.lock().unwrap().extend(complaints);
                    found.lock().unwrap().insert((attack.file.clone(), attack.title.clone()), verdicts);
                }
            };
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).unwrap();
        }
    });
    let wrong = wrong.into_inner().unwrap();
    if !wrong.is_empty() {
        for ((file, title), verdicts) in found.into_inner().unwrap() {
            if wrong.iter().any(|line| line.starts_with(&format!("{file} `{title}`"))) {
                println!("{file} `{title}` got: {}", corpus::header(&verdicts));
            }
        }
    }
    assert!(wrong.is_empty(), "{} complaints:\n{}", wrong.len(), wrong.join("\n"));
}

/// The corpus itself: large enough, every program once, every kind of test attacked.
#[test]
fn the_corpus_is_what_it_says() {
    let attacks = corpus::read();
    assert!(attacks.len() >= 150, "{} attacks", attacks.len());
    let distinct = |key: fn(&Attack) -> &str| attacks.iter().map(key).collect::<std::collections::BTreeSet<_>>().len();
    assert_eq!(distinct(|attack| &attack.title), attacks.len(), "two attacks have the same title");
    assert_eq!(distinct(|attack| &attack.code), attacks.len(), "two attacks are the same program");
    for kind in KINDS {
        let count = attacks.iter().filter(|attack| attack.verdicts.contains_key(kind)).count();
        assert!(count >= 50, "only {count} attacks on tests of kind {kind}");
    }
}

//! The attack corpus, `tests/attacks/`: its README says what must hold.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use novice_sandbox::{Engine, EngineOptions, FeedbackLevel, Outcome, Pool, Problem, Report};
use serde_json::json;

use crate::{options, problem_with};

/// What every attacked test expects.
const SECRET: &str = "424242";
/// Time limit of a test: bombs use all of it.
const TIMEOUT_MS: u64 = 40;

struct Attack {
    /// `file: title`
    title: String,
    verdict: String,
    code: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/attacks")
}

fn read(path: &Path) -> Vec<Attack> {
    let file = path.file_stem().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).unwrap();
    let programs = text.split("# === ").skip(1);
    let attack = |part: &str| {
        let (head, code) = part.split_once('\n').unwrap();
        let (title, verdict) = head.split_once(" :: ").expect("a title, ` :: ` and a verdict");
        Attack { title: format!("{file}: {title}"), verdict: verdict.trim().into(), code: code.into() }
    };
    programs.map(attack).collect()
}

fn attacked() -> Arc<Problem> {
    let script = format!(
        "from cs110 import autograder\ndef test_passed():\n    out, err = autograder.run_script('task.py', [1])\n    print('expected {SECRET}')\n    return 100 if out.strip() == '{SECRET}' else 0\n"
    );
    let unit = format!(
        "import program, unittest\nclass T(unittest.TestCase):\n    def test_f(self):\n        got = program.f(1)\n        self.assertTrue(all(map(lambda x: program.f(x) == {SECRET}, [1, 2])))\n        self.assertAlmostEqual(got, {SECRET})\n        self.assertEqual(got, {SECRET})\n"
    );
    problem_with(json!([
        {"call": "f(1)", "expect": SECRET, "hidden": true, "timeout_ms": TIMEOUT_MS},
        {"stdin": "1\n", "stdout": SECRET, "hidden": true, "timeout_ms": TIMEOUT_MS},
        {"script": script, "hidden": true, "timeout_ms": TIMEOUT_MS},
        {"unittest": unit, "hidden": true, "timeout_ms": TIMEOUT_MS},
        {"call": "f(1)", "expect": "'shown'", "timeout_ms": TIMEOUT_MS},
    ]))
}

fn honest() -> (Arc<Problem>, String) {
    let problem = problem_with(json!([
        {"call": "f(20)", "expect": "10946"},
        {"stdin": "x\n", "stdout": "x 3.0 3.141592653589793"},
        {"script": "from cs110 import autograder\nimport random\ndef test_passed():\n    a = random.randint(1, 9)\n    print('drew', a)\n    out, err = autograder.run_script('p.py', [a])\n    return 50 if out == f'{a} 3.0 {3.141592653589793}\\n' else 0\n"},
        {"unittest": "def test_f():\n    assert f(5) == 8\ndef test_g():\n    assert f(5) == 9\n"},
    ]));
    let code = "import math, random, os\ndef f(n):\n    return 1 if n < 2 else f(n - 1) + f(n - 2)\nif __name__ == '__main__':\n    assert dict(os.environ) == {}\n    print(input(), math.sqrt(len([1, 2, 3] * 3)), math.pi)\n";
    (problem, code.into())
}

/// What is wrong with an attack's report.
fn faults(attack: &Attack, report: &Report, took: Duration) -> Vec<String> {
    let mut faults = Vec::new();
    if report.verdict.name() != attack.verdict {
        faults.push(format!("the verdict is {}, it must be {}", report.verdict, attack.verdict));
    }
    for test in &report.tests {
        if test.outcome == Outcome::Passed || test.earned != 0.0 {
            faults.push(format!("{} {} and earned {}", test.name, test.outcome, test.earned));
        }
        if test.message.contains(['\n', '\r', '\u{1b}']) {
            faults.push(format!("a message of more than one line: {:?}", test.message));
        }
    }
    let said = serde_json::to_string(&report.to_json(json!(0), "task", FeedbackLevel::Full)).unwrap();
    if said.contains(SECRET) && !attack.code.contains(SECRET) {
        faults.push(format!("the secret is told: {said}"));
    }
    let feedback = report.feedback(FeedbackLevel::Full);
    if feedback.lines().filter(|line| line.starts_with("Grade: ")).count() != 1 {
        faults.push(format!("an imitated head: {feedback:?}"));
    }
    if took > Duration::from_secs(60) {
        faults.push(format!("it took {} s", took.as_secs()));
    }
    faults
}

/// Grade every attack of the files that `mine` picks, on one thread, an honest submission after each.
fn run(mine: impl Fn(usize) -> bool) -> usize {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "py"));
    files.sort();
    let attacks: Vec<Attack> = files.iter().flat_map(|path| read(path)).collect();
    let engine = Engine::open(&EngineOptions { cached_reports: 0, ..options() }).unwrap();
    let untouched = Pool::new(engine.clone(), 1).unwrap();
    let (easy, code) = honest();
    let expected = untouched.submit(easy.clone(), code.clone()).wait();
    assert_eq!(expected.verdict, Outcome::WrongAnswer);
    assert_eq!(expected.grade, 75.0, "{:?}", expected.tests);
    let pool = Pool::new(engine, 1).unwrap();
    let problem = attacked();
    let mut wrong = Vec::new();
    for (_, attack) in attacks.iter().enumerate().filter(|(position, _)| mine(*position)) {
        let start = Instant::now();
        let report = pool.submit(problem.clone(), attack.code.clone()).wait();
        let mut found = faults(attack, &report, start.elapsed());
        if pool.submit(easy.clone(), code.clone()).wait() != expected {
            found.push("the next submission suffers from it".into());
        }
        let outcomes: Vec<&str> = report.tests.iter().map(|test| test.outcome.name()).collect();
        wrong.extend(found.iter().map(|fault| format!("{}: {fault} {outcomes:?}", attack.title)));
    }
    assert!(wrong.is_empty(), "{} faults\n{}", wrong.len(), wrong.join("\n"));
    attacks.len()
}

#[test]
fn attacks_get_their_verdict_and_nothing_else() {
    let halves = [0, 1].map(|half| std::thread::spawn(move || run(|position| position % 2 == half)));
    for half in halves {
        match half.join() {
            Ok(count) => assert!(count >= 150, "{count} attacks"),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

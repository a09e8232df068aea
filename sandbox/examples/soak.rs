//! Grades for a long time and shows that nothing grows: `cargo run --release -p novice-sandbox --example soak -- [GRADINGS] [THREADS]`
//!
//! Programs of every verdict, in turn, the result cache off. Prints throughput and resident memory of each tenth, and fails if any report differs
//! from the first of its program.

use std::sync::Arc;
use std::time::Instant;

use novice_sandbox::{Course, Engine, EngineOptions, Pool, Problem, Report};

/// The second problem has a test with time enough for a proof that a loop has no end.
const COURSE: &str = r#"
problems:
  - id: task
    statement: s
    tests:
      - {call: f(3), expect: "9"}
      - {stdin: "5\n", stdout: "25", timeout_ms: 5}
      - {unittest: "def test_f():\n    assert f(4) == 16\n", timeout_ms: 5}
  - id: patient
    statement: s
    tests: [{call: f(3), expect: "9", timeout_ms: 140}]
"#;

/// Every eighth grading is of one of the programs that use up a limit, from this one on.
const BOMBS: usize = 8;

/// Every verdict is among theirs. The last is one for the second problem.
const PROGRAMS: [&str; 17] = [
    "def f(x):\n    return x * x\nif __name__ == '__main__':\n    print(f(int(input())))\n",
    "def f(x):\n    return x + x\nif __name__ == '__main__':\n    print(f(int(input('n? '))))\n",
    "def f(x):\n    total = 0\n    for i in range(x):\n        total += x\n    return total\nprint(f(5))\n",
    "def f(x):\n    return [x][1]\nprint(undefined)\n",
    "def f(x)\n    return x\n",
    "import random, time\ndef f(x):\n    return random.randint(1, 9)\nprint(random.random(), time.time(), {'a', 'b'})\n",
    "class P:\n    def __init__(self, x):\n        self.x = x\ndef f(x):\n    return P(x)\n",
    "import sys, builtins\nsys.modules.clear()\nbuiltins.len = None\ndef f(x): return x * x\n",
    "def f(x):\n    while x: pass\n",
    "i = 0\nwhile True: i += 1\n",
    "x = [0]\nwhile True: x += x\n",
    "while True: print('again' * 99)\n",
    "import socket\nsocket.socket()\n",
    "def f(n): return f(n + 1)\nf(0)\n",
    "x = [bytearray(1 << 20) for _ in range(40)]\ndef f(x): return x * x\n",
    "import sys\nsys.setrecursionlimit(10 ** 8)\ndef f(n): return f(n + 1)\n",
    "def f(x):\n    n, a = 0, []\n    while x:\n        n += 1\n        a.append(x)\n",
];

/// The program of a grading.
fn which(grading: usize) -> usize {
    if grading % 8 == 7 { BOMBS + grading / 8 % (PROGRAMS.len() - BOMBS) } else { (grading + grading / 8) % BOMBS }
}

/// Resident memory in MiB, from `/proc/self/statm`.
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages: f64 = text.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0.0);
    pages * 4096.0 / f64::from(1 << 20)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let gradings: usize = arguments.next().map_or(Ok(100_000), |n| n.parse())?;
    let threads: usize = arguments.next().map_or(Ok(2), |n| n.parse())?;
    let course = Course::from_yaml(COURSE, "soak")?;
    let [problem, patient] = course.problems.as_slice() else { return Err("not two problems".into()) };
    let job = |which: usize| {
        let problem: &Arc<Problem> = if which + 1 == PROGRAMS.len() { patient } else { problem };
        (problem.clone(), PROGRAMS[which].to_string())
    };
    let options = EngineOptions { cached_reports: 0, timeout_ms: 5, ..EngineOptions::default() };
    let pool = Pool::new(Engine::open(&options)?, threads)?;
    let first: Vec<Report> = pool.grade_all((0..PROGRAMS.len()).map(job));
    for (code, report) in PROGRAMS.iter().zip(&first) {
        println!("{:14} {:?}", report.verdict.name(), code.lines().next().unwrap_or_default());
    }
    println!("start: {:.1} MiB resident", resident());
    let (tenth, start) = (gradings.div_ceil(10), Instant::now());
    for part in 0..10 {
        let begun = Instant::now();
        let jobs = (0..tenth).map(|i| job(which(part * tenth + i)));
        for (i, report) in pool.grade_all(jobs).into_iter().enumerate() {
            let which = which(part * tenth + i);
            if first.get(which) != Some(&report) {
                return Err(format!("grading {} of program {which} differs: {report:?}", part * tenth + i).into());
            }
        }
        let rate = tenth as f64 / begun.elapsed().as_secs_f64();
        println!("{:>8} gradings: {rate:6.0}/s, {:.1} MiB resident", (part + 1) * tenth, resident());
    }
    println!("all: {:.0}/s, every report as at first", (10 * tenth) as f64 / start.elapsed().as_secs_f64());
    Ok(())
}

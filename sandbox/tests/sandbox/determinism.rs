//! Equal inputs give equal bytes: whatever ran before, on a fresh or a reset instance, on any thread.

use novice_sandbox::{Engine, EngineOptions, Outcome, Pool, Report};
use serde_json::json;

use crate::{grade, options, problem_with};

const CURIOUS: &str = "import random, time, os, uuid, hashlib\nprint(random.random(), random.sample(range(100), 5))\nprint(time.time(), time.perf_counter(), time.localtime().tm_year)\ntime.sleep(3600)\nprint(time.monotonic())\nprint(os.urandom(8).hex(), uuid.uuid4())\nprint({'spam', 'eggs', 'ham', 'bread'}, hash('spam'), id([]))\nprint(dict(os.environ), os.getcwd())\n";

fn curious(pool: &Pool) -> Report {
    let problem = problem_with(json!([{"stdin": "", "stdout": "nothing"}, {"stdin": "", "stdout": "nothing"}]));
    pool.submit(problem, CURIOUS.into()).wait()
}

#[test]
fn time_entropy_and_hash_order_are_the_same_everywhere() {
    let plain = EngineOptions { cached_reports: 0, ..options() };
    let pools: Vec<Pool> = [true, false]
        .map(|reset| Pool::new(Engine::open(&EngineOptions { reset, ..plain.clone() }).unwrap(), 2).unwrap())
        .into();
    let first = curious(&pools[0]);
    assert_eq!(first.verdict, novice_sandbox::Outcome::WrongAnswer, "{:?}", first.tests);
    for pool in &pools {
        for _ in 0..6 {
            assert_eq!(curious(pool), first);
        }
    }
}

/// Programs of every ending, so that every way back to the first state is used.
const VARIED: [&str; 14] = [
    "print('hi')",
    "print(sum(i * i for i in range(20000)))",
    "x = [0] * 3_000_000\nprint(len(x))",
    "x = [bytearray(1 << 20) for _ in range(60)]\nprint(len(x))",
    "def f(n):\n    return f(n + 1)\nf(0)",
    "while True: pass",
    "import builtins, sys, math, random\nbuiltins.print = None\nmath.pi = 3\nrandom.random = lambda: 4\nsys.modules.clear()",
    "x = (",
    "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict) and len(o) < 50:\n        o.clear()",
    "import sys\nsys.setrecursionlimit(10**7)\ndef f(n):\n    return f(n + 1)\nf(0)",
    "x = []\nwhile True: x.append('a' * 100000)",
    "print('x' * 1000000)",
    "import socket\nsocket.socket()",
    "import ctypes_like_nothing",
];

#[test]
fn a_reset_instance_answers_like_a_fresh_one_to_the_instruction() {
    let problem = problem_with(json!([{"stdin": "5\n", "stdout": "hi"}, {"stdin": "", "stdout": "25"}]));
    let plain = EngineOptions { cached_reports: 0, timeout_ms: 60, ..options() };
    let run = |reset: bool, order: &[usize]| -> Vec<Report> {
        let engine = Engine::open(&EngineOptions { reset, ..plain.clone() }).unwrap();
        let pool = Pool::new(engine, 1).unwrap();
        let reports = pool.grade_all(order.iter().map(|i| (problem.clone(), VARIED[*i].to_string())));
        let mut sorted: Vec<(usize, Report)> = order.iter().copied().zip(reports).collect();
        sorted.sort_by_key(|(i, _)| *i);
        sorted.into_iter().map(|(_, report)| report).collect()
    };
    let forward: Vec<usize> = (0..VARIED.len()).collect();
    let backward: Vec<usize> = forward.iter().rev().copied().collect();
    let fresh = run(false, &forward);
    assert_eq!(run(true, &forward), fresh);
    assert_eq!(run(true, &backward), fresh);
}

#[test]
fn reports_come_in_the_order_of_jobs_and_from_the_cache() {
    let problem = problem_with(json!([{"stdin": "", "stdout": "0"}]));
    let jobs = (0..40).map(|i| (problem.clone(), format!("print({})", i % 7)));
    let reports = crate::pool().grade_all(jobs);
    for (i, report) in reports.iter().enumerate() {
        assert_eq!(report.grade, if i % 7 == 0 { 100.0 } else { 0.0 });
    }
    assert_eq!(grade(&problem, "print(0)"), reports[0]);
}

#[test]
fn damaged_machine_code_is_rebuilt_and_an_unusable_folder_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("novice");
    let settings = EngineOptions { cache_dir: Some(cache.clone()), ..options() };
    // Seed the folder from the shared one: compiling takes seconds.
    crate::engine();
    std::fs::create_dir(&cache).unwrap();
    for entry in std::fs::read_dir(options().cache_dir.unwrap()).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, cache.join(path.file_name().unwrap())).unwrap();
    }
    assert!(Engine::open(&settings).unwrap().from_cache());
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&cache).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().unwrap() == "cwasm" {
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
        }
    }
    let rebuilt = Engine::open(&settings).unwrap();
    assert!(!rebuilt.from_cache());
    assert!(Engine::open(&settings).unwrap().from_cache());
}

/// Loops with and without end, some of which come back to nearly the state in which they were.
const LOOPS: [(&str, Outcome); 35] = [
    ("def f(x):\n    while True: pass\n", Outcome::Timeout),
    ("def f(x):\n    i = 0\n    while i < 3:\n        if x == 9: i += 1\n", Outcome::Timeout),
    ("def f(x):\n    s, i = 'abc', 0\n    while i < len(s):\n        if s[-i - 1] == ' ': i += 1\n", Outcome::Timeout),
    ("def g(n):\n    for i in range(n): i // 7\n    return n\ndef f(x):\n    while x: x = g(x)\n", Outcome::Timeout),
    ("def f(x):\n    while x: x -= 1; x -= 1; x += 1\n    while True: x += 1\n", Outcome::Timeout),
    ("import random\ndef f(x):\n    while random.random() < 2: pass\n", Outcome::Timeout),
    ("while True:\n    try: 1 / 0\n    except ZeroDivisionError: pass\n", Outcome::Timeout),
    ("class A:\n    def go(self):\n        while self: pass\ndef f(x): A().go()\n", Outcome::Timeout),
    // Something adds up that the loop never looks at.
    ("def f(x):\n    n = 0\n    while x: n += 1\n", Outcome::Timeout),
    ("n, x = 0, 3\nwhile x: n = n + 1 + x\n", Outcome::Timeout),
    ("def f(x):\n    a, i, l = [], 0, [1, 2]\n    while i < len(l): a.append(l[i])\n", Outcome::Timeout),
    (
        "def f(x):\n    a, l = [], [('F', 1), ('M', 2)]\n    while l:\n        for i in l:\n            if i == max(l): a += [i]\n",
        Outcome::Timeout,
    ),
    ("def f(x):\n    s = t = ''\n    while x < 3:\n        s += 'ab'[x - 2]\n        t = 'a' + t\n", Outcome::Timeout),
    ("def f(x):\n    a = []\n    while True: a = a + [[x, 'b']]\n", Outcome::Timeout),
    (
        "def g(x):\n    n = 0\n    for i in range(x): n += i\n    return n\ndef f(x):\n    n = 0\n    while g(x) > 0: n += g(3)\n",
        Outcome::Timeout,
    ),
    ("def f(x):\n    n = 0\n    for i in (1, 2):\n        n = 0\n        while i == i: n -= 0.5\n", Outcome::Timeout),
    // These end: what adds up is looked at, in some way.
    ("def f(x):\n    a = b = []\n    while len(b) < 200000: a.append(1)\n    return 1\n", Outcome::Passed),
    (
        "def f(x):\n    a, b = [], {}\n    b[1] = a\n    while len(b[1]) < 200000: a.append(1)\n    return 1\n",
        Outcome::Passed,
    ),
    ("def f(x):\n    n = 0\n    while n < 200000:\n        for i in range(3): n += 1\n    return 1\n", Outcome::Passed),
    (
        "def f(x):\n    n = i = sum(range(200000)) * 0\n    while i < 1000:\n        i += 1\n        n += 2\n    while n != 2000: pass\n    return 1\n",
        Outcome::Passed,
    ),
    ("def f(x):\n    n = 0\n    def g(): return n\n    while g() < 200000: n += 1\n    return 1\n", Outcome::Passed),
    ("n = 0\ndef g(): return n\nwhile g() < 200000: n += 1\ndef f(x): return 1\n", Outcome::Passed),
    ("n = 0\nwhile globals()['n'] < 200000: n += 1\ndef f(x): return 1\n", Outcome::Passed),
    (
        "class A:\n    def __radd__(self, n):\n        if n > 100000: raise KeyError\n        return n + 1\ndef f(x):\n    n, a = 0, A()\n    try:\n        while True: n += a\n    except KeyError: return 1\n",
        Outcome::Passed,
    ),
    (
        "import sys\ndef f(x):\n    n = 0\n    while sys._getframe().f_locals['n'] < 100000: n += 1\n    return 1\n",
        Outcome::Passed,
    ),
    (
        "import sys\no = object()\ndef f(x):\n    a = []\n    while sys.getrefcount(o) < 200000: a.append(o)\n    return 1\n",
        Outcome::Passed,
    ),
    (
        "def f(x):\n    n = 0\n    for i in range(100000):\n        while i < 0: pass\n        n += i\n    return 1 if n == 4999950000 else n\n",
        Outcome::Passed,
    ),
    // These end. Each turns long enough to be watched.
    ("def f(x):\n    n = 0\n    for i in range(300000): n = i & 7\n    return 1\n", Outcome::Passed),
    (
        "import time\ndef f(x):\n    end = time.time() + 0.3\n    while time.time() < end: pass\n    return 1\n",
        Outcome::Passed,
    ),
    ("import itertools\ndef f(x):\n    for _ in itertools.repeat(None, 400000): pass\n    return 1\n", Outcome::Passed),
    ("import random\ndef f(x):\n    while random.random() > 0.00001: pass\n    return 1\n", Outcome::Passed),
    // The count of what is left is in C code only, and every call of `__eq__` turns a loop in the same state.
    (
        "class E:\n    def __eq__(self, other):\n        for _ in (0, 0): pass\n        return True\ndef f(x):\n    return 1 if ([E()] * 60000).count(7) == 60000 else 0\n",
        Outcome::Passed,
    ),
    (
        "class E:\n    def __lt__(self, other):\n        for _ in (0, 0): pass\n        return False\ndef f(x):\n    e = E()\n    sorted([e] * 60000)\n    return 1\n",
        Outcome::Passed,
    ),
    (
        "def g(x):\n    for _ in (0, 0): pass\n    return True\ndef f(x):\n    return 1 if all(map(g, [None] * 80000)) else 0\n",
        Outcome::Passed,
    ),
    (
        "import re\ndef g(m):\n    for _ in (0, 0): pass\n    return 'b'\ndef f(x):\n    return 1 if len(re.sub('a', g, 'a' * 40000)) == 40000 else 0\n",
        Outcome::Passed,
    ),
];

#[test]
fn endless_loops_are_recognised_and_no_others() {
    let problem = problem_with(json!([
        {"call": "f(2)", "expect": "1"},
        {"unittest": "import program\ndef test_f():\n    assert program.f(2) == 1\n"},
    ]));
    let plain = EngineOptions { cached_reports: 0, timeout_ms: 500, ..options() };
    let grade = |prove_endless: bool| {
        let engine = Engine::open(&EngineOptions { prove_endless, ..plain.clone() }).unwrap();
        Pool::new(engine, 2).unwrap().grade_all(LOOPS.iter().map(|(code, _)| (problem.clone(), code.to_string())))
    };
    let proved = grade(true);
    for ((code, expected), report) in LOOPS.iter().zip(&proved) {
        assert_eq!(report.verdict, *expected, "{code}{:?}", report.tests);
    }
    let waited = grade(false);
    for ((code, _), (proved, waited)) in LOOPS.iter().zip(proved.iter().zip(&waited)) {
        assert_eq!(proved, waited, "{code}");
    }
}

#[test]
fn what_adds_up_may_use_up_the_memory_first() {
    let problem = problem_with(json!([{"call": "f(2)", "expect": "1"}]));
    let loops = [
        ("def f(x):\n    a = []\n    while True: a.append(1)\n", Outcome::OutOfMemory),
        ("def f(x):\n    a, i = [], 0\n    while i < x: a.append([i, x])\n", Outcome::OutOfMemory),
        ("def f(x):\n    s = ''\n    while x: s += 'ab' * 50\n", Outcome::OutOfMemory),
        (
            "def f(x):\n    a = []\n    try:\n        while True: a.append('a' * 40 + str(x))\n    except MemoryError: return 1\n",
            Outcome::Passed,
        ),
        (
            "def f(x):\n    n, a = 0, []\n    while True:\n        n += 1\n        a.append(max([3, x, 5, 4] * 200))\n",
            Outcome::Timeout,
        ),
    ];
    for prove_endless in [true, false] {
        let settings = EngineOptions { cached_reports: 0, memory_mb: 72, prove_endless, ..options() };
        let jobs = loops.iter().map(|(code, _)| (problem.clone(), code.to_string()));
        let reports = Pool::new(Engine::open(&settings).unwrap(), 2).unwrap().grade_all(jobs);
        for ((code, expected), report) in loops.iter().zip(&reports) {
            assert_eq!(report.verdict, *expected, "{prove_endless} {code}{:?}", report.tests);
        }
    }
}

#[test]
fn tests_at_once_and_one_by_one_say_the_same() {
    let tests = json!([
        {"call": "f(2)", "expect": "1"},
        {"stdin": "5\n6\n", "stdout": "5"},
        {"call": "f(3)", "expect": "1"},
        {"call": "f(4)", "expect": "1"},
        {"stdin": "", "stdout": "5"},
    ]);
    // Of a hidden test only the report shows less; it is run by itself.
    let mut apart = tests.clone();
    apart[0]["hidden"] = true.into();
    let programs = [
        "def f(x): return x - 2\nprint(input())\n",
        "import time, os\nt = time.time()\ndef f(x): return (time.time() - t, os.urandom(4))\nprint(t, os.urandom(2))\n",
        "import random\ndef f(x): return random.randint(0, 9)\nprint(random.random())\n",
        "n = 0\ndef f(x):\n    global n\n    n += 1\n    return n\nopen('a.txt', 'a').write('x')\nprint(open('a.txt').read())\n",
        "def f(x): return f(x + 1)\ntry: f(0)\nexcept RecursionError as e: print(e.__traceback__.tb_lineno)\n",
        "import sys\ndef f(x): sys.exit(x)\nprint(input('? '), input())\nsys.stdout = None\n",
        "import builtins\nbuiltins.len = lambda x: 7\ndef f(x): return len([])\nprint(len('a'))\n",
        "def f(x):\n    if x == 3:\n        while x: pass\n    return 1\nprint(5)\n",
        "def f(x): return [0] * (10 ** 9 if x == 3 else 1)\nprint(5)\n",
        "def f(x): print('a' * 10 ** 6)\nprint(5)\n",
        "import os\ndef f(x): return 1 if x < 4 else os.system('x')\nprint(5)\n",
        "import sys\ndef f(x): return sys._getframe(1).f_code.co_name\ndef depth(n=0):\n    try: return depth(n + 1)\n    except RecursionError: return n\nprint(depth())\n",
    ];
    let all = |tests: &serde_json::Value| {
        let problem = problem_with(tests.clone());
        programs.map(|code| {
            let report = grade(&problem, code);
            (report.tests[0].outcome, report.tests[1..].to_vec(), report.stdout_bytes)
        })
    };
    for ((code, together), apart) in programs.iter().zip(all(&tests)).zip(all(&apart)) {
        assert_eq!(together, apart, "{code}");
    }
}

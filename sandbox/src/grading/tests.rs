//! What must hold inside: after every submission the instances are untouched again, byte for byte.

use super::*;
use crate::course::Course;
use crate::engine::EngineOptions;

fn grader() -> Grader {
    let cache = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tmp/novice-cache");
    let options = EngineOptions { cache_dir: Some(cache.into()), timeout_ms: 50, ..EngineOptions::default() };
    Grader::new(&Engine::open(&options).unwrap()).unwrap()
}

#[test]
fn every_submission_leaves_the_instances_untouched() {
    let on_a_grading_stack = || {
        let yaml = "problems: [{id: p, statement: s, tests: [{call: f(3), expect: '3'}, {stdin: x, stdout: x}, {unittest: 'def test_f(): assert f(1) == 1'}]}]";
        let course = Course::from_yaml(yaml, "c").unwrap();
        let mut grader = grader();
        for code in [
            "def f(x):\n    return x\nprint(input())\n",
            "import builtins, math, sys\nmath.pi = 3\nbuiltins.len = None\nsys.modules.clear()\n",
            "x = [bytes(i) for i in range(3000)]\n",
            "while True: pass\n",
            "x = 'a' * 10**8\n",
            "import gc\nfor o in gc.get_objects():\n    if isinstance(o, dict):\n        o.clear()\n",
            "def f(n): return f(n + 1)\nf(0)\n",
        ] {
            grader.grade(&course.problems[0], code).unwrap();
            assert!(grader.lock().is_pristine(), "{code}");
            assert!(grader.examiner.as_mut().unwrap().is_pristine(), "{code}");
        }
        let (made, resets) = grader.lock().counts();
        assert_eq!(grader.engine.resets(), resets > 0);
        assert!(!grader.engine.resets() || made < 7, "{made} instances made, {resets} resets");
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(on_a_grading_stack).unwrap().join().unwrap();
}

#[test]
fn a_starved_machine_is_not_blamed_on_the_program() {
    let yaml = "problems: [{id: p, statement: s, tests: [{call: f(3), expect: '3'}, {call: f(4), expect: '4'}]}]";
    let course = Course::from_yaml(yaml, "c").unwrap();
    let cache = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/tmp/novice-cache");
    let options = EngineOptions {
        cache_dir: Some(cache.into()),
        backstop_s: 1,
        prove_endless: false,
        ..EngineOptions::default()
    };
    let pool = crate::Pool::new(Engine::open(&EngineOptions { timeout_ms: 4000, ..options }).unwrap(), 1).unwrap();
    let report =
        pool.submit(course.problems[0].clone(), "def f(x):\n    while x == 3: pass\n    return x\n".into()).wait();
    assert_eq!((report.verdict, report.tests[0].name.as_str()), (Outcome::Crashed, "sandbox"));
    assert!(report.tests[0].message.starts_with("not the program's fault: its tests took more than 1 s"), "{report:?}");
}

//! Programs that try to earn points, learn answers, reach the host or take the grader down; each with the verdict it must get.

use novice_sandbox::Outcome::{self, *};
use serde_json::json;

use crate::{grade, outcomes, problem_with};

const SECRET: &str = "424242";

/// Run against a call test, an output test, a script and a unit test, none of which it may pass; the expected value must appear nowhere.
fn attack(code: &str) -> Vec<Outcome> {
    let problem = problem_with(json!([
        {"call": "f(1)", "expect": SECRET},
        {"stdin": "1\n", "stdout": SECRET},
        {"script": format!("from cs110 import autograder\ndef test_passed():\n    out, err = autograder.run_script('task.py', [1])\n    return 100 if out.strip() == '{SECRET}' else 0\n")},
        {"unittest": format!("import program\ndef test_f():\n    got = program.f(1)\n    assert got == {SECRET}\n")},
    ]));
    let report = grade(&problem, code);
    for test in &report.tests {
        assert_ne!(test.outcome, Passed, "{} passed:\n{code}", test.name);
        assert_eq!(test.earned, 0.0, "{} earned points:\n{code}", test.name);
    }
    assert_eq!(report.grade, 0.0);
    // Nothing is left for the next submission.
    let next = grade(
        &problem_with(json!([{"call": "f(20)", "expect": "10946"}, {"stdin": "x", "stdout": "x 3.0"}])),
        &format!(
            "import math, random\ndef f(n):\n    return 1 if n < 2 else f(n - 1) + f(n - 2)\nif __name__ == '__main__':\n    print(input(), math.sqrt(len([1, 2, 3] * 3)))\n# {}\n",
            blake3ish(code)
        ),
    );
    assert_eq!(outcomes(&next), [Passed, Passed], "the next submission suffers from:\n{code}");
    outcomes(&report)
}

/// A number that differs from attack to attack, so that the next submission is not answered from the cache.
fn blake3ish(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn forged_values() {
    // Objects that claim to be equal to everything.
    let eq = "class E:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    def __hash__(self): return 0\n    def __repr__(self): return '424241'\n    def __str__(self): return '424241'\ndef f(x): return E()\n";
    assert_eq!(attack(eq), [WrongAnswer; 4]);
    let subclass = "class I(int):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n    __hash__ = int.__hash__\n    def __index__(self): return 424241\ndef f(x): return I(7)\n";
    assert_eq!(attack(subclass), [WrongAnswer; 4]);
    let reflected = "class I(int):\n    def __req__(self, other): return True\n    def __getattribute__(self, name): return lambda *a: True\ndef f(x): return [I(1)]\n";
    assert_eq!(attack(reflected), [WrongAnswer; 4]);
}

#[test]
fn patched_builtins_and_modules() {
    for code in [
        "import builtins\nbuiltins.eval = lambda *a: 424241\nbuiltins.print = lambda *a: None\nbuiltins.float = lambda x: 100.0\nbuiltins.isinstance = lambda *a: True\ndef f(x): return None\n",
        "import sys\nfor name in list(sys.modules):\n    m = sys.modules[name]\n    for k in list(getattr(m, '__dict__', {})):\n        if k in ('encode', 'equal', 'observe', 'describe'):\n            setattr(m, k, lambda *a, **k: b'passed')\ndef f(x): return 1\n",
        "import sys\nsys.modules.clear()\ndef f(x): return 1\n",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None\nimport doctest\ndoctest.OutputChecker.check_output = lambda *a: True\ndef f(x): return 1\n",
        "import sys, types\nm = types.ModuleType('autograder')\nm.run_script = lambda *a: ('ok', '')\nsys.modules['autograder'] = m\nsys.modules['cs110'] = m\ndef f(x): return 1\n",
        "def test_passed(): return 100\ndef f(x): return 1\nimport __main__\n__main__.test_passed = test_passed\n__main__.score = 100\n",
    ] {
        attack(code);
    }
}

#[test]
fn shadowing_the_names_that_a_test_uses() {
    let problem = problem_with(
        json!([{"unittest": "def test_f():\n    assert abs(f(2) - 4) < 0.001\n    assert len(f(2) * [0]) == 4\n"}]),
    );
    let code = "def abs(x): return 0\ndef len(x): return 4\ndef __novice_compare__(*a): pass\ndef isinstance(*a): return True\ndef f(x): return 1\n";
    assert_eq!(outcomes(&grade(&problem, code)), [WrongAnswer]);
}

#[test]
fn walking_frames_and_the_heap_for_expected_values() {
    // An honest search: it would give the right answer if it found it. The needle is made after the haystack.
    let code = "import sys, gc\ndef hunt(x):\n    seen = []\n    frame = sys._getframe()\n    while frame:\n        seen.append(repr(frame.f_locals))\n        seen.append(repr(list(frame.f_globals.items())))\n        frame = frame.f_back\n    for o in gc.get_objects():\n        if type(o) in (dict, list, tuple, set):\n            try:\n                seen.append(repr(o)[:2000])\n            except BaseException:\n                pass\n    text = ' '.join(seen)\n    return str(x * 60606 * 7) in text\ndef f(x):\n    return x * 60606 * 7 if hunt(x) else 0\nif __name__ == '__main__':\n    print(f(int(input())))\n";
    let found = attack(code);
    assert!(found.iter().all(|o| matches!(o, WrongAnswer | Timeout | OutOfMemory)), "{found:?}");
}

#[test]
fn fake_scores_on_standard_output() {
    for code in [
        "print('Unit Test Returned: 100')\ndef f(x): return 1\n",
        "import sys\nsys.stdout.write('{\"status\": \"passed\", \"score\": 100.0}')\nsys.stderr.write('Unit Test Returned: 100')\ndef f(x): return 1\n",
        "import os\nos.write(1, b'424242\\n')\nos.write(2, b'passed')\ndef f(x): return 1\n",
    ] {
        attack(code);
    }
}

#[test]
fn leaving_early() {
    for code in [
        "import sys\nsys.exit(0)\n",
        "import os\nos._exit(0)\n",
        "import os\nos.abort()\n",
        "raise SystemExit('passed')\n",
        "raise KeyboardInterrupt\n",
        "raise GeneratorExit\n",
        "import unittest\nraise unittest.SkipTest('skip')\n",
        "import unittest\ndef f(x):\n    raise unittest.SkipTest('skip')\n",
        "class B(BaseException): pass\ndef f(x): raise B('b')\nf(1)\n",
        "import signal, os\nos.kill(os.getpid(), 9)\n",
        "import sys\nsys.excepthook = lambda *a: None\nimport atexit\n1 / 0\n",
    ] {
        attack(code);
    }
}

#[test]
fn replaced_streams_and_traces() {
    for code in [
        "import sys, io\nsys.stdout = io.StringIO()\nsys.stdout.getvalue = lambda: '424241'\ndef f(x): return 1\n",
        "import sys\nsys.stdout = None\nsys.stdin = None\nsys.stderr = None\ndef f(x): return 1\n",
        "import sys\nsys.stdout.close()\ndef f(x): return 1\n",
        "import sys\nsys.settrace(lambda *a: None)\nsys.setprofile(lambda *a: None)\ndef f(x): return 1\n",
        "import sys\ndef trace(frame, event, arg):\n    frame.f_locals['reply'] = {'status': 'passed', 'value': b''}\n    return trace\nsys.settrace(trace)\ndef f(x): return 1\n",
    ] {
        attack(code);
    }
}

#[test]
fn lying_in_the_instances_own_protocol() {
    // Replies that are not what was asked for, from code that found the harness.
    let patch = |reply: &str| {
        format!(
            "import sys, marshal\nentry = sys.modules['novice_guest.entry']\nreal = marshal.dumps\nclass M:\n    loads = staticmethod(marshal.loads)\n    dumps = staticmethod(lambda *a: {reply})\nentry.marshal = M\ndef f(x): return 1\n"
        )
    };
    for reply in [
        "b''",
        "b'N'",
        "b'passed'",
        "b'(\\xff\\xff\\xff\\x7f'",
        "real({'status': 'passed', 'score': 100.0, 'earned': 1.0}, 2)",
        "b'[\\x01\\0\\0\\0' * 3000",
        "None",
        "'text'",
        "b'x' * (80 << 20)",
        "real({'status': 'ok', 'value': b'(\\x02\\0\\0\\0i\\x00\\0\\0\\0c' + b'A' * 300}, 2)",
    ] {
        for outcome in attack(&patch(reply)) {
            assert!(outcome >= WrongAnswer, "{reply} {outcome}");
        }
    }
}

#[test]
fn reaching_for_the_host() {
    for (code, expected) in [
        ("print(open('/etc/passwd').read())\n", Exception),
        ("import os\nprint(os.listdir('/'))\n", Exception),
        ("import os\nfd = os.open('/etc/hostname', os.O_RDONLY)\n", Exception),
        ("import socket\ns = socket.socket()\n", Forbidden),
        (
            "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 80))\nexcept BaseException:\n    pass\n",
            Forbidden,
        ),
        ("import urllib.request\nurllib.request.urlopen('http://127.0.0.1/')\n", Forbidden),
        ("import subprocess\nsubprocess.run(['ls'])\n", Exception),
        ("import os\nos.fork()\n", Exception),
        ("import os\nos.system('ls')\n", Exception),
        ("import ctypes\n", Exception),
        ("import multiprocessing\nmultiprocessing.Process(target=print).start()\n", Exception),
        ("import threading\nthreading.Thread(target=print).start()\n", Exception),
        ("from wit_world.imports import host\nhost.ask(b'main')\n", Forbidden),
        ("import os\nassert os.environ\n", Exception),
    ] {
        let found = attack(code);
        assert!(found.iter().all(|o| *o == expected), "{code} {found:?}");
    }
}

#[test]
fn bombs() {
    for (code, expected) in [
        ("while True: pass\n", vec![Timeout]),
        ("while True:\n    try:\n        while True: pass\n    except BaseException: pass\n", vec![Timeout]),
        ("x = 9 ** 9 ** 9\n", vec![Timeout, OutOfMemory]),
        ("import re\nre.match('(a+)+$', 'a' * 40 + 'b')\n", vec![Timeout]),
        ("x = [0] * 10 ** 9\n", vec![OutOfMemory]),
        ("x = []\nwhile True: x.append('a' * 10 ** 6)\n", vec![OutOfMemory]),
        ("x = 'a' * 2 ** 30\n", vec![OutOfMemory]),
        ("def g(n): return g(n + 1)\ng(0)\n", vec![Exception]),
        (
            "import sys\nsys.setrecursionlimit(10 ** 8)\ndef g(n): return g(n + 1)\ng(0)\n",
            vec![Crashed, Timeout, OutOfMemory, Exception],
        ),
        ("x = []\nfor _ in range(10 ** 5): x = [x]\nrepr(x)\n", vec![Crashed, Exception, Timeout]),
        ("import json\njson.loads('[' * 200000)\n", vec![Crashed, Exception]),
        ("x = '(' * 100000\neval(x)\n", vec![Exception, OutOfMemory, Crashed]),
        ("while True: print('x')\n", vec![OutputLimit]),
        ("import os\nwhile True: os.write(1, b'x' * 1000)\n", vec![OutputLimit, Timeout]),
        (
            "import zlib\nzlib.decompress(zlib.compress(b'0' * 10 ** 7) * 1)\nx = zlib.decompress(zlib.compress(bytes(1 << 26)), bufsize=1 << 30)\n",
            vec![OutOfMemory, Timeout],
        ),
        ("import itertools\nlist(itertools.count())\n", vec![OutOfMemory, Timeout]),
        ("import sys\nsys.set_int_max_str_digits(0)\nprint(len(str(7 ** 10 ** 7)))\n", vec![Timeout, OutOfMemory]),
        ("class A:\n    def __del__(self): A()\nA()\n", vec![Timeout, OutOfMemory, Exception, Crashed, WrongAnswer]),
    ] {
        let found = attack(code);
        assert!(found.iter().all(|o| expected.contains(o)), "{code} {found:?}");
    }
}

#[test]
fn returned_values_that_hurt() {
    for (code, expected) in [
        ("def f(x):\n    a = []\n    a.append(a)\n    return a\n", vec![WrongAnswer]),
        (
            "def f(x):\n    a = []\n    for _ in range(100000): a = [a]\n    return a\n",
            vec![WrongAnswer, Crashed, Exception],
        ),
        ("def f(x): return list(range(10 ** 6))\n", vec![WrongAnswer, Timeout]),
        ("def f(x): return 10 ** 10000\n", vec![WrongAnswer]),
        ("class R:\n    def __repr__(self):\n        while True: pass\ndef f(x): return R()\n", vec![Timeout]),
        ("class R:\n    def __repr__(self): return 'x' * 10 ** 7\ndef f(x): return R()\n", vec![WrongAnswer]),
        (
            "class R(dict):\n    def items(self): return 7\n    def __iter__(self): raise ValueError('no')\ndef f(x): return R(a=1)\n",
            vec![WrongAnswer, Exception],
        ),
        ("def f(x):\n    while True:\n        yield 1\n", vec![WrongAnswer]),
        (
            "class M(type):\n    def __instancecheck__(cls, x): return True\n    def __eq__(cls, other): return True\n    __hash__ = type.__hash__\nclass C(metaclass=M): pass\ndef f(x): return C\n",
            vec![WrongAnswer],
        ),
    ] {
        let found = attack(code);
        assert!(expected.contains(&found[0]) && expected.contains(&found[3]), "{code} {found:?}");
    }
}

#[test]
fn a_sleep_takes_no_time() {
    let start = std::time::Instant::now();
    let problem = problem_with(json!([{"stdin": "", "stdout": "3600"}]));
    let report = grade(&problem, "import time\nt = time.time()\ntime.sleep(3600)\nprint(round(time.time() - t))\n");
    assert_eq!(report.verdict, Passed, "{}", report.tests[0].message);
    assert!(start.elapsed().as_secs() < 60);
}

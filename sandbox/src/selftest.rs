//! A self-test: a few programs whose outcome is known, graded as any submission is. For `novice doctor`.

use crate::course::Course;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::pool::Pool;

const COURSE: &str = r#"
name: self-test
problems:
  - id: double
    statement: "Write `double(x)`; run as a program, print the double of the number that is typed."
    tests:
      - {call: double(21), expect: "42"}
      - {stdin: "8\n", stdout: "16"}
      - script: |
          from cs110 import autograder
          def test_passed():
              out, err = autograder.run_script("double.py", [4])
              return 100 if out.strip() == "8" else 0
        max_score: 100
      - {unittest: "def test_negative():\n    assert double(-1) == -2\n"}
"#;

const RIGHT: &str = "def double(x):\n    return 2 * x\n\nif __name__ == '__main__':\n    print(double(int(input())))\n";

/// What each program is, its source, and the only verdict that it may get.
const PROGRAMS: [(&str, &str, Outcome); 12] = [
    ("a right program", RIGHT, Outcome::Passed),
    ("a wrong program", "def double(x):\n    return x + 2\nprint(3)\n", Outcome::WrongAnswer),
    ("a program that raises", "def double(x):\n    return x.real.imag.n\nprint(double(1))\n", Outcome::Exception),
    ("no Python", "def double(x)\n    return 2 * x\n", Outcome::SyntaxError),
    ("an endless loop", "while True:\n    pass\n", Outcome::Timeout),
    ("an endless list", "x = [0]\nwhile True:\n    x += x\n", Outcome::OutOfMemory),
    ("endless printing", "while True:\n    print('again')\n", Outcome::OutputLimit),
    ("a network connection", "import socket\nsocket.socket()\n", Outcome::Forbidden),
    ("reading a file of the host", "print(open('/etc/hostname').read())\n", Outcome::Exception),
    (
        "an object that equals everything",
        "class Any(int):\n    def __eq__(self, other):\n        return True\n    __hash__ = int.__hash__\ndef double(x):\n    return Any(0)\nprint(Any(0))\n",
        Outcome::WrongAnswer,
    ),
    (
        "a forged score",
        "import sys\nprint('Unit Test Returned: 100')\nsys.modules['__main__'].score = lambda *a: 100.0\ndef double(x):\n    return None\n",
        Outcome::WrongAnswer,
    ),
    (
        "a search for the expected value",
        "import sys\ndef double(x):\n    frame, seen = sys._getframe(), ''\n    while frame:\n        seen += repr(frame.f_locals)\n        frame = frame.f_back\n    return 42 if '42' in seen else 0\nprint(0)\n",
        Outcome::WrongAnswer,
    ),
];

/// One program of the self-test.
#[derive(Clone, Debug, PartialEq)]
pub struct SelfTest {
    /// What the program is.
    pub program: &'static str,
    /// The verdict that it must get.
    pub expected: Outcome,
    /// The verdict that it got.
    pub found: Outcome,
    /// The grade that it got, 0 to 100.
    pub grade: f64,
}

impl SelfTest {
    /// Whether the verdict is the right one, and only the right program earned anything.
    pub fn holds(&self) -> bool {
        let earned = if self.expected == Outcome::Passed { 100.0 } else { 0.0 };
        self.found == self.expected && self.grade == earned
    }
}

/// Grade the programs of the self-test.
///
/// # Errors
/// None in a program that was built from this source: the course is part of it.
pub fn self_test(pool: &Pool) -> Result<Vec<SelfTest>> {
    let course = Course::from_yaml(COURSE, "self-test")?;
    let mut tickets = Vec::with_capacity(PROGRAMS.len());
    for problem in &course.problems {
        for (program, code, expected) in PROGRAMS {
            tickets.push((program, expected, pool.submit(problem.clone(), code.to_string())));
        }
    }
    let graded = tickets.into_iter().map(|(program, expected, ticket)| {
        let report = ticket.wait();
        SelfTest { program, expected, found: report.verdict, grade: report.grade }
    });
    Ok(graded.collect())
}

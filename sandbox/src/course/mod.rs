//! Courses: problems and the tests that belong to them.
//!
//! # The file
//! ```yaml
//! name: "Introduction"
//! problems:
//!   - id: area
//!     statement: "Write `area(r)`."       # Markdown
//!     prelude: "PI = 3.14"                # optional: runs before the submission, in its module
//!     starter: "def area(r):\n    ..."    # optional: what the student begins with
//!     filename: area.py                   # optional, program.py: the name in tracebacks and for imports
//!     files: {data.txt: "1\n2\n"}         # optional: what the program can open
//!     solutions: ["def area(r): …"]       # optional: programs that must get 100
//!     tests:
//!       - {call: area(2), expect: "12.56", tolerance: 0.01}
//!       - {stdin: "3\n", stdout: "9", match: tokens}
//!       - {script: "from cs110 import autograder…", max_score: 100}
//!       - {unittest: "def test_zero():\n    assert area(0) == 0"}
//! ```
//! Each test also takes `name`, `weight` (1), `hidden` (false: show the message) and `timeout_ms`. Its kind follows from its fields. A folder holds `course.yaml`
//! with such a file, or one file a problem: `*.yaml` (a problem), `*.md` (front matter with the fields, then the statement), in order of their
//! names; there the `id` defaults to the file's name.
//!
//! # Imports
//! A test script reaches the submission as `import area` (its file name, the problem's id, or `program`). `from area import *`, and a `unittest` of bare
//! asserts, take over its public names, except built-in ones and those that the test binds itself: to test a function called
//! `max`, say `area.max`.
//!
//! # Where things run
//! A `call` is evaluated in the submission's own instance: whatever is written in it the submission can see, so `area(2)` with `expect: "12.56"` keeps the
//! answer and `area(2) == 12.56` gives it away. Scripts and unit tests run in an instance of their own; what they pass as an argument is seen, what
//! they compare with is not.
//!
//! # Outputs
//! A `match` of `lines`, the default, ignores white space at the ends of lines and empty lines at the end; a beginner who prints a blank too
//! many has still solved the task. See [`Matching`].

mod read;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::value::Value;

/// A course: a name and problems in order.
#[derive(Clone, Debug, Serialize)]
pub struct Course {
    /// Its name, from the file.
    pub name: String,
    /// Its problems. Ids are unique.
    #[serde(serialize_with = "write_problems")]
    pub problems: Vec<Arc<Problem>>,
}

fn write_problems<S: serde::Serializer>(
    problems: &[Arc<Problem>],
    serializer: S,
) -> std::result::Result<S::Ok, S::Error> {
    serializer.collect_seq(problems.iter().map(Arc::as_ref))
}

impl Course {
    /// Read a course file, or a folder (see the module's head).
    ///
    /// # Errors
    /// Names file, line and field, what was expected and what to do.
    pub fn load(path: &Path) -> Result<Course> {
        read::load(path)
    }

    /// Read a course from text; `name` stands for the file's name in errors.
    ///
    /// # Errors
    /// As [`Course::load`].
    pub fn from_yaml(text: &str, name: &str) -> Result<Course> {
        read::course(text, name)
    }

    /// The problem with this id.
    pub fn problem(&self, id: &str) -> Option<&Arc<Problem>> {
        self.problems.iter().find(|problem| problem.id == id)
    }
}

/// A problem. Made by [`Course::load`] and [`Course::from_yaml`], which check it.
#[derive(Clone, Debug, Serialize)]
pub struct Problem {
    /// Unique in its course.
    pub id: String,
    /// What the student is asked, Markdown.
    pub statement: String,
    /// Code that runs before the submission, in its module.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prelude: Option<String>,
    /// What the student begins with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starter: Option<String>,
    /// The program's file name, in tracebacks and for `import`.
    pub filename: String,
    /// Files that the program can open, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Programs that solve it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub solutions: Vec<String>,
    /// At least one.
    pub tests: Vec<Test>,
    /// Hash of all that a report depends on.
    #[serde(skip)]
    pub(crate) digest: blake3::Hash,
}

/// A test, or (of kind `unittest`) a group of tests.
#[derive(Clone, Debug, Serialize)]
pub struct Test {
    /// How reports call it; a call's text or `test n` without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its share of the grade, relative to the others. Above 0.
    pub weight: f64,
    /// Outcome shown, message withheld.
    pub hidden: bool,
    /// Time limit; the engine's where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What is run and compared.
    #[serde(flatten)]
    pub kind: TestKind,
}

/// What a test runs and when it passes.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum TestKind {
    /// An expression, evaluated in the submission's module, has this value.
    Call {
        /// The expression.
        call: String,
        /// The literal as written.
        expect: String,
        /// The literal as a value.
        #[serde(skip)]
        value: Value,
        /// Numbers may differ by this much.
        #[serde(skip_serializing_if = "Option::is_none")]
        tolerance: Option<f64>,
    },
    /// Run as a script, the program prints this.
    Io {
        /// What is typed.
        stdin: String,
        /// What must be printed.
        stdout: String,
        /// How the two are compared.
        #[serde(rename = "match")]
        matching: Matching,
        /// Numbers among the tokens may differ by this much.
        #[serde(skip_serializing_if = "Option::is_none")]
        tolerance: Option<f64>,
    },
    /// A FalconCode script whose `test_passed()` gives a score.
    Script {
        /// Python source.
        script: String,
        /// The score that counts as all points.
        max_score: f64,
    },
    /// Python source with test functions, `unittest` classes or doctests; each is a test of its own and they share the weight.
    Unittest {
        /// Python source.
        unittest: String,
    },
}

/// How printed output is compared with what is expected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matching {
    /// Byte for byte.
    Exact,
    /// The same words in the same order; white space only separates them.
    Tokens,
    /// The same lines, without white space at their ends and without empty lines at the end.
    #[default]
    Lines,
    /// What is expected occurs somewhere in the output (after trimming it, lines as above).
    Contains,
}

impl Problem {
    /// The module's name: the file name without its ending.
    pub fn module(&self) -> &str {
        self.filename.strip_suffix(".py").unwrap_or(&self.filename)
    }

    /// Names under which a test script may import the submission, without doubles.
    pub(crate) fn import_names(&self) -> Vec<String> {
        let mut names = vec![self.module().to_string()];
        for name in [self.id.as_str(), "program"] {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_string());
            }
        }
        names
    }
}

#[cfg(test)]
mod tests;

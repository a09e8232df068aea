//! What is the same for all submissions of a problem: its Python, compiled once.
//!
//! Compiling takes longer than running: a call such as `area(2)` some sixty microseconds, a test script several hundred. So an untouched
//! examiner compiles a problem's prelude, calls and tests at its first submission, and the later ones are sent the code, which the host
//! keeps as bytes that it does not read. What does not compile stays text: it fails where it is run, with its own error.

use std::collections::HashSet;
use std::sync::Arc;

use super::Grader;
use super::names;
use crate::course::{Problem, Test, TestKind};
use crate::engine::INSTRUCTIONS_PER_MS;
use crate::error::Result;
use crate::value::{Value, encode};

/// Time to compile one source.
const TIME_MS: u64 = 5_000;
/// Problems that are remembered; a full memory starts again from nothing.
const PROBLEMS: usize = 10_000;

/// A problem's Python as the guest takes it.
pub struct Ahead {
    /// What runs before the submission: `None`, or a pair of its text and its code.
    pub prelude: Value,
    /// For each test in order.
    pub tests: Vec<Compiled>,
}

/// A test's Python.
pub enum Compiled {
    /// It has none.
    Io,
    /// The expression, as text or code.
    Call(Value),
    /// The script's code or `None`, and the names that the submission may not take over.
    Script { code: Value, taken: HashSet<String> },
    /// The tests of the source, or why there are none.
    Units(std::result::Result<Units, String>),
}

/// The tests within a source of kind `unittest`.
pub struct Units {
    /// In the order of the source.
    pub tests: Vec<Unit>,
    /// Names that the submission may not take over.
    pub taken: HashSet<String>,
}

/// One of them.
pub struct Unit {
    /// How the guest knows it.
    pub name: String,
    /// How reports call it.
    pub shown: String,
    /// Its code, or `None`.
    pub code: Value,
}

impl Grader {
    /// The problem's Python. Leaves an untouched examiner, so that nothing that follows can tell whether it was known already.
    pub(super) fn ahead(&mut self, problem: &Problem) -> Result<Arc<Ahead>> {
        if let Some(known) = self.known.get(&problem.digest) {
            return Ok(known.clone());
        }
        let prelude = match &problem.prelude {
            Some(text) => Value::Tuple(vec![Value::str(text), self.compile(text, "prelude.py", "exec")?]),
            None => Value::None,
        };
        let tests = problem.tests.iter().map(|test| self.compile_test(problem, test)).collect::<Result<_>>()?;
        if self.known.len() >= PROBLEMS {
            self.known.clear();
        }
        let made = Arc::new(Ahead { prelude, tests });
        self.known.insert(problem.digest, made.clone());
        Ok(made)
    }

    fn compile_test(&mut self, problem: &Problem, test: &Test) -> Result<Compiled> {
        Ok(match &test.kind {
            TestKind::Io { .. } => Compiled::Io,
            TestKind::Call { call, .. } => Compiled::Call(self.compile(call, "<test>", "eval")?),
            TestKind::Script { script, .. } => Compiled::Script {
                code: match self.compile(script, "test.py", "exec")? {
                    code @ Value::Bytes(_) => code,
                    _ => Value::None,
                },
                taken: names::of_the_test(script, &problem.import_names()),
            },
            TestKind::Unittest { unittest } => {
                Compiled::Units(self.discover(problem, test.name.as_deref(), unittest)?)
            }
        })
    }

    /// Code of a source, or the source itself where it does not compile.
    fn compile(&mut self, source: &str, filename: &str, mode: &str) -> Result<Value> {
        let one = Value::Tuple(vec![Value::str(source), Value::str(filename), Value::str(mode)]);
        let reply = self.ask_untouched(vec![Value::str("compile"), Value::Tuple(vec![one])])?;
        let code = reply.field("codes").and_then(Value::items).and_then(<[Value]>::first);
        Ok(code.filter(|code| matches!(code, Value::Bytes(_))).cloned().unwrap_or_else(|| Value::str(source)))
    }

    /// The tests in a source, found without running it.
    fn discover(
        &mut self,
        problem: &Problem,
        group: Option<&str>,
        source: &str,
    ) -> Result<std::result::Result<Units, String>> {
        let reply = self.ask_untouched(vec![Value::str("discover"), Value::str(source)])?;
        let test = |item: &Value| {
            let [name, code] = item.items()? else { return None };
            let name = name.as_str()?.to_string();
            let shown = group.map_or(name.clone(), |group| format!("{group}: {name}"));
            Some(Unit { name, shown, code: code.clone() })
        };
        let tests = reply.field("tests").and_then(Value::items).unwrap_or_default();
        let tests: Vec<Unit> = tests.iter().filter_map(test).collect();
        Ok(match reply.field("error").or(reply.field("message")).and_then(Value::as_str) {
            Some(error) => Err(error.to_string()),
            None if tests.is_empty() => Err("no test functions, classes or examples found".to_string()),
            None => Ok(Units { tests, taken: names::of_the_test(source, &problem.import_names()) }),
        })
    }

    fn ask_untouched(&mut self, request: Vec<Value>) -> Result<Value> {
        self.forget()?;
        let reply = self.examiner_call(&encode(&Value::Tuple(request)), TIME_MS * INSTRUCTIONS_PER_MS, None);
        self.forget()?;
        reply
    }
}

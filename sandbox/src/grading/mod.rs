//! Grading one submission: every test of its problem, in order, each with its own limits.
//!
//! | file | job |
//! |---|---|
//! | `ahead` | what is the same for all submissions of a problem, compiled once |
//! | `subject` | the submission in its instance: load, run, call |
//! | `reply` | what came back, checked |
//! | `output` | printed text against expected text |
//! | `examiner` | test scripts in an instance of their own |
//! | `trust` | what a test script may say to an object of the submission |
//! | `names` | names of a test script that the submission may not take over |
//! | `patience` | little fuel at first, for all tests at once; what takes long is run again, watched for loops without end |
//!
//! A program is compiled once. Each test runs it afresh: a new module, the same random seed, the original built-ins and files. A
//! test that had to be stopped costs its instance, so the next one starts from an untouched one. Between submissions everything is put
//! back.

mod ahead;
mod examiner;
mod names;
mod output;
mod patience;
mod reply;
mod subject;
mod trust;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::course::{Problem, Test, TestKind};
use crate::deviations::Deviation;
use crate::engine::{Engine, INSTRUCTIONS_PER_MS, Instance};
use crate::error::{Error, Result};
use crate::outcome::Outcome;
use crate::report::{Report, TestReport, visible};
use crate::value::equal;
use ahead::{Ahead, Compiled};
use patience::Limit;
use reply::{Ending, Run};
use subject::{Loaded, Subject};

/// Characters of a value or line that a message shows.
const SHOWN: usize = 120;
/// Characters of a message: an assertion of a test may quote the submission at any length.
const MESSAGE_LIMIT: usize = 2000;

/// Grades submissions one after the other on the thread that owns it. That thread needs 32 MiB of stack; [`crate::Pool`] sees to it.
pub struct Grader {
    engine: Engine,
    subject: Arc<Mutex<Subject>>,
    examiner: Option<Instance>,
    /// By the problem's digest.
    known: HashMap<blake3::Hash, Arc<Ahead>>,
}

impl Grader {
    /// A grader with instances of its own.
    ///
    /// # Errors
    /// When wasmtime gives no instance.
    pub fn new(engine: &Engine) -> Result<Grader> {
        let subject = Arc::new(Mutex::new(Subject::new(engine.instance()?)));
        Ok(Grader { engine: engine.clone(), subject, examiner: None, known: HashMap::new() })
    }

    /// Run all tests of `problem` on `code`.
    ///
    /// # Errors
    /// Failures of the sandbox itself. Whatever the submission does ends in the report.
    pub fn grade(&mut self, problem: &Problem, code: &str) -> Result<Report> {
        let result = self.run_tests(problem, code);
        self.lock().reset()?;
        if let Some(examiner) = self.examiner.as_mut() {
            examiner.reset()?;
        }
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Subject> {
        // A poisoned lock means that another thread panicked while it held this grader; the subject is reset before use all the same.
        self.subject.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run_tests(&mut self, problem: &Problem, code: &str) -> Result<Report> {
        let options = self.engine.options().clone();
        let ahead = self.ahead(problem)?;
        let loaded = self.lock().load(problem, &ahead.prelude, code, &options)?;
        let mut tests = Vec::with_capacity(problem.tests.len());
        let begun = Instant::now();
        let mut made = match loaded {
            Loaded::Ready => self.at_once(problem, &ahead)?.into_iter(),
            Loaded::Failed(_) => Vec::new().into_iter(),
        };
        for (position, (test, compiled)) in problem.tests.iter().zip(&ahead.tests).enumerate() {
            if begun.elapsed().as_secs() >= options.backstop_s {
                return Err(Error::Backstop { seconds: options.backstop_s });
            }
            let fuel = test.timeout_ms.unwrap_or(options.timeout_ms) * INSTRUCTIONS_PER_MS;
            let start = TestReport::start(test, position);
            if let (TestKind::Unittest { unittest }, Compiled::Units(units)) = (&test.kind, compiled) {
                tests.extend(self.unittest(problem, code, start, (unittest, units), fuel, &loaded)?);
                continue;
            }
            let done = match (&loaded, &test.kind, compiled) {
                (Loaded::Failed(run), ..) => start.failed(run, fuel),
                (Loaded::Ready, TestKind::Call { value, tolerance, .. }, Compiled::Call(call)) => {
                    let attempt = |grader: &mut Grader, limit: Limit| grader.lock().call(call, limit.fuel);
                    let run = made.next().map_or_else(|| self.patiently(fuel, attempt), Ok)?;
                    judge_call(start, &run, value, *tolerance, fuel)
                }
                (Loaded::Ready, TestKind::Io { stdin, stdout, matching, tolerance }, _) => {
                    let attempt = |grader: &mut Grader, limit: Limit| grader.lock().main(stdin, 1, None, limit.fuel);
                    let run = made.next().map_or_else(|| self.patiently(fuel, attempt), Ok)?;
                    judge_output(start, &run, stdout, *matching, *tolerance, fuel)
                }
                (Loaded::Ready, TestKind::Script { script, max_score }, Compiled::Script { code: ready, taken }) => {
                    self.script(problem, code, start, (script, ready, taken), *max_score, fuel)?
                }
                (Loaded::Ready, ..) => start,
            };
            tests.push(done);
        }
        let subject = self.lock();
        let report = Report::new(tests, subject.stdout_bytes, subject.fuel);
        Ok(if options.deviations.contains(&Deviation::TruncatedGrades) { report.truncated() } else { report })
    }
}

/// The value that the call gave, against the expected one.
fn judge_call(
    start: TestReport,
    run: &Run,
    expected: &crate::value::Value,
    tolerance: Option<f64>,
    fuel: u64,
) -> TestReport {
    match (&run.ending, &run.value) {
        (Ending::Finished, Some(got)) if equal(got, expected, tolerance) => start.passed(),
        (Ending::Finished, Some(got)) => {
            let (mut expected_text, mut got_text) = (expected.repr(SHOWN), got.repr(SHOWN));
            if expected_text == got_text {
                // Such as a set in another order, or an object whose text looks right.
                expected_text += &format!(" ({})", expected.type_name());
                got_text += &format!(" ({})", got.type_name());
            }
            start.wrong(format!("expected {expected_text}, got {got_text}"))
        }
        (Ending::Exited(error), _) => start.with(
            Outcome::Exception,
            format!("{error} (the program ended before the call was answered)"),
            &run.trace,
        ),
        _ => start.failed(run, fuel),
    }
}

/// What was printed, against the expected output.
fn judge_output(
    start: TestReport,
    run: &Run,
    expected: &str,
    matching: crate::course::Matching,
    tolerance: Option<f64>,
    fuel: u64,
) -> TestReport {
    match &run.ending {
        Ending::Finished | Ending::Exited(_) => {
            match output::compare(&String::from_utf8_lossy(&run.out), expected, matching, tolerance) {
                Ok(()) => start.passed(),
                Err(difference) => start.wrong(difference),
            }
        }
        _ => start.failed(run, fuel),
    }
}

impl TestReport {
    /// A report of `test` before it ran.
    fn start(test: &Test, position: usize) -> TestReport {
        let fallback = match &test.kind {
            TestKind::Call { call, .. } if !test.hidden => clip(&call.replace('\n', " "), SHOWN),
            _ => format!("test {}", position + 1),
        };
        TestReport {
            name: test.name.clone().unwrap_or(fallback),
            outcome: Outcome::Passed,
            message: String::new(),
            trace: String::new(),
            output: String::new(),
            earned: 0.0,
            possible: 1.0,
            weight: test.weight,
            hidden: test.hidden,
        }
    }

    fn passed(mut self) -> TestReport {
        self.outcome = Outcome::Passed;
        self.earned = self.possible;
        self
    }

    fn wrong(self, message: String) -> TestReport {
        self.with(Outcome::WrongAnswer, message, "")
    }

    fn with(mut self, outcome: Outcome, message: String, trace: &str) -> TestReport {
        self.outcome = outcome;
        if !self.hidden {
            self.message = clip(&one_line(&visible(&message)), MESSAGE_LIMIT);
            self.trace = visible(trace);
        }
        self
    }

    /// From a run that did not finish by itself.
    fn failed(self, run: &Run, fuel: u64) -> TestReport {
        let (outcome, message) = run.failure(fuel);
        self.with(outcome, message, &run.trace)
    }
}

/// Without line breaks and control characters: what a program says must not look like another line of the report.
fn one_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.trim_end().chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line and paragraph separators break lines too; the directional marks reorder what is shown.
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                out.extend(c.escape_unicode());
            }
            c => out.push(c),
        }
    }
    out
}

/// At most `limit` characters.
pub(crate) fn clip(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_string(),
    }
}

/// For fuzzing.
#[cfg(test)]
pub(crate) fn read_reply(bytes: &[u8]) -> Run {
    Run::read(bytes)
}

#[cfg(test)]
mod tests;

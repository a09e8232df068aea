//! How much fuel a test gets, and when.
//!
//! Nearly all tests end within a few milliseconds. So those of a submission are sent at once with little fuel, if they all are calls or runs with
//! input: the going back and forth takes a third of a short test's time. That counts only where it makes no difference: they end within
//! the little fuel together, and none of them changed what the next one sees of the world. Otherwise all is begun again, test by test.
//!
//! Tests that take longer are mostly loops without end, which would use up their whole time. So a test by itself gets little fuel at first,
//! too. When that runs out it is run again from the beginning, watched (`engine::watch`); a loop that is proved endless has used up its
//! time, by definition. Otherwise the test is run once more with all that it may use.
//!
//! Every step is counted in fuel or turns, so the way that is taken, like the result, depends on the submission alone.

use super::ahead::{Ahead, Compiled};
use super::reply::Run;
use super::{Grader, subject};
use crate::course::{Problem, TestKind};
use crate::engine::INSTRUCTIONS_PER_MS;
use crate::error::Result;
use crate::value::Value;

/// Fuel of the first attempt and of the watched one, in milliseconds.
const FIRST_MS: u64 = 5;
const WATCHED_MS: u64 = 60;

/// What a test may use.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Fuel of this attempt.
    pub fuel: u64,
    /// Fuel that the test may use by its own terms, which is what its report says.
    pub whole: u64,
}

impl Grader {
    /// The runs of all tests of the loaded submission; none where they are to be made one by one.
    pub(super) fn at_once(&mut self, problem: &Problem, ahead: &Ahead) -> Result<Vec<Run>> {
        let requests = problem.tests.iter().zip(&ahead.tests).map(|(test, compiled)| match (&test.kind, compiled) {
            (TestKind::Call { .. }, Compiled::Call(expression)) => Some(Value::Tuple(subject::call(expression))),
            (TestKind::Io { stdin, .. }, _) => Some(Value::Tuple(subject::main(stdin, 1))),
            _ => None,
        });
        let requests = requests.collect::<Option<Vec<Value>>>().filter(|requests| requests.len() > 1);
        // What a hidden test asks must not lie in the memory of one whose messages are shown.
        let Some(requests) = requests.filter(|_| !problem.tests.iter().any(|test| test.hidden)) else {
            return Ok(Vec::new());
        };
        let limits = problem.tests.iter().filter_map(|test| test.timeout_ms);
        let limit = limits.chain([self.engine.options().timeout_ms, FIRST_MS]).min().unwrap_or(FIRST_MS);
        let counters = self.begin(None);
        let runs = self.lock().together(requests, limit * INSTRUCTIONS_PER_MS)?;
        match runs {
            Some(runs) => Ok(runs),
            None => self.begin_again(counters, None).map(|()| Vec::new()),
        }
    }

    /// A test begins → fuel used and bytes printed so far.
    fn begin(&mut self, watching: Option<u64>) -> (u64, u64) {
        let mut subject = self.lock();
        subject.begin(watching);
        (subject.fuel, subject.stdout_bytes)
    }

    /// Run a test, a second and third time if need be. `attempt` runs it from its beginning.
    pub(super) fn patiently<T>(
        &mut self,
        whole: u64,
        mut attempt: impl FnMut(&mut Grader, Limit) -> Result<T>,
    ) -> Result<T> {
        let (first, watched) = (FIRST_MS * INSTRUCTIONS_PER_MS, WATCHED_MS * INSTRUCTIONS_PER_MS);
        let counters = self.begin(None);
        if whole < 2 * (first + watched) {
            return attempt(self, Limit { fuel: whole, whole });
        }
        let done = attempt(self, Limit { fuel: first, whole })?;
        if self.lock().unfinished.is_none() {
            return Ok(done);
        }
        // Where nothing can be proved the test is begun again all the same: its report must not tell one kernel from another.
        if self.engine.options().prove_endless && self.lock().can_watch() {
            self.begin_again(counters, Some(whole))?;
            let done = attempt(self, Limit { fuel: watched, whole })?;
            if self.lock().unfinished == Some(true) {
                let printed = self.lock().stdout_bytes;
                return self.begin_again((counters.0 + whole, printed), None).map(|()| done);
            }
        }
        self.begin_again(counters, None)?;
        attempt(self, Limit { fuel: whole, whole })
    }

    /// Everything as if the test had not been tried yet.
    fn begin_again(&mut self, counters: (u64, u64), watching: Option<u64>) -> Result<()> {
        let mut subject = self.lock();
        subject.reset()?;
        subject.begin(watching);
        (subject.fuel, subject.stdout_bytes) = counters;
        drop(subject);
        self.forget()
    }
}

//! Tests that take long.
//!
//! Nearly all tests end within a few milliseconds; those that do not are mostly loops without end, which would use up their whole time. So
//! a test gets little fuel at first. When that runs out it is run again from the beginning, watched (`engine::watch`); a loop that is
//! proved endless has used up its time, by definition. Otherwise the test is run once more with all that it may use.
//!
//! Every step is counted in fuel or turns, so the way that is taken, like the result, depends on the submission alone.

use super::Grader;
use crate::engine::INSTRUCTIONS_PER_MS;
use crate::error::Result;

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
    /// Run a test, a second and third time if need be. `attempt` runs it from its beginning.
    pub(super) fn patiently<T>(
        &mut self,
        whole: u64,
        mut attempt: impl FnMut(&mut Grader, Limit) -> Result<T>,
    ) -> Result<T> {
        let (first, watched) = (FIRST_MS * INSTRUCTIONS_PER_MS, WATCHED_MS * INSTRUCTIONS_PER_MS);
        let counters = {
            let mut subject = self.lock();
            subject.begin(None);
            (subject.fuel, subject.stdout_bytes)
        };
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

//! Runs a student's Python submission against a problem's tests and reports what happened, out of the submission's reach.
//!
//! ```no_run
//! use novice_sandbox::{Course, Engine, EngineOptions, FeedbackLevel, Pool};
//! # fn main() -> novice_sandbox::Result<()> {
//! let course = Course::load("course.yaml".as_ref())?;
//! let pool = Pool::new(Engine::open(&EngineOptions::default())?, 2)?;
//! if let Some(problem) = course.problems.first() {
//!     let report = pool.submit(problem.clone(), "def area(r):\n    return 3 * r * r\n".into()).wait();
//!     println!("{}", report.feedback(FeedbackLevel::Full));
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # How
//! A submission runs in CPython 3.14, compiled to WebAssembly and started when the guest was built (`guest/`), inside wasmtime. A
//! worker keeps an instance and puts it back to the guest's first state after every submission by restoring its dirty pages
//! (`engine::restore`); where the kernel cannot tell which pages are dirty, every submission gets a fresh instance.
//!
//! # The trust boundary
//! Everything inside the instance that ran a submission is taken for the submission's word. What it is compared with never enters
//! it: expected values and outputs are compared here in the host ([`Value`], `grading`); test scripts run in an instance of their own, the
//! *examiner*, which reaches the submission's instance, the *subject*, only through messages that the host decodes, checks and writes anew.
//! A submission can therefore make itself fail, and can answer a test's question with what it likes, and nothing else.
//! Nor does an object that it returns get to see what a test compares it with (`grading::trust`). `tests/attacks/` tries.
//!
//! What follows from that:
//!
//! * A call is evaluated in the subject: what is written in the expression the submission can see; `expect` it cannot.
//! * A value that comes back is data of exact built-in types; instances of subclasses become what they are built on, anything else is an
//!   opaque object that equals nothing.
//! * In the examiner an object that the submission returned is a proxy. It never compares with, adds to or contains a plain value, because
//!   the submission's own operators would answer, and would see the value. Only objects of a class that a test calls under a
//!   capitalised name, such as `Point(1, 2)`, have their operators: there the class is what is being tested.
//! * An exception of the submission reaches a test as the nearest built-in one, and a test that swallows a timeout does not pass.
//! * Messages have one line, and the head of a feedback text, up to its first empty line, is the grader's alone.
//! * A test script is the course's own code and is trusted: one that `exec`s the submission's source hands over its own instance.
//! * The host parses what instances send with readers of its own ([`Value`]), which bound depth and number of values and are fuzzed.
//!
//! The corpus of `tests/attacks/` holds programs that try to cross the boundary, each with the verdict that it must get.
//!
//! # Limits
//! Each test has its time in fuel, which the guest itself charges (`tools/flatten`), so that a verdict does not depend on load;
//! memory, output and recursion are bounded per run, each with an [`Outcome`] of its own. A test that runs out of a first, small
//! ration is run again, watched: a loop whose state repeats never ends and is not waited for (`engine::watch`,
//! `grading::patience`).
//!
//! # Determinism
//! Time is counted in fuel, clocks and entropy are virtual, so equal inputs give equal bytes on any machine and load.

mod course;
mod deviations;
mod engine;
mod error;
#[cfg(test)]
mod fuzz;
mod grading;
mod outcome;
mod pool;
mod report;
mod results;
mod selftest;
mod value;

pub use course::{Course, Matching, Problem, Test, TestKind};
pub use deviations::Deviation;
pub use engine::{Engine, EngineOptions, INSTRUCTIONS_PER_MS};
pub use error::{CourseError, Error, Result};
pub use grading::Grader;
pub use outcome::Outcome;
pub use pool::{Pool, Ticket};
pub use report::{FeedbackLevel, GradeLine, Report, TestReport};
pub use selftest::{SelfTest, self_test};
pub use value::{Integer, LiteralError, Opaque, Value, equal};

//! Many submissions at a time: grading threads behind a bounded queue.
//!
//! Every thread owns its instances. A job carries the sending half of a channel for its report, so reports come back to whoever
//! asked, in the order that they ask. What a report says does not depend on the number of threads.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam::channel::{Receiver, Sender, TryRecvError, bounded};

use crate::course::Problem;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::grading::Grader;
use crate::outcome::Outcome;
use crate::report::{Report, TestReport};
use crate::results::Results;

/// The guest may use 8 MiB of native stack, an examiner and a subject nest, and reading deeply nested values takes some too.
const STACK: usize = 64 << 20;
/// Jobs that wait before `submit` waits.
const QUEUE: usize = 1024;

struct Job {
    problem: Arc<Problem>,
    code: String,
    reply: Sender<Report>,
}

/// Grading threads.
pub struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// A report to come.
pub struct Ticket {
    receiver: Receiver<Report>,
}

impl Ticket {
    /// Wait for the report.
    pub fn wait(self) -> Report {
        self.receiver.recv().unwrap_or_else(|_| lost("the grading thread ended"))
    }

    /// The report if it is there already, or never will be.
    pub fn try_wait(&self) -> Option<Report> {
        match self.receiver.try_recv() {
            Ok(report) => Some(report),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(lost("the grading thread ended")),
        }
    }
}

impl Pool {
    /// Start `threads` grading threads.
    ///
    /// # Errors
    /// No threads, more than the engine has instances for (two each), or none from the system.
    pub fn new(engine: Engine, threads: usize) -> Result<Pool> {
        let most = engine.options().max_instances as usize / 2;
        if threads == 0 || threads > most {
            return Err(Error::Setting {
                field: "threads",
                value: threads.to_string(),
                expected: "1 to half of max_instances",
            });
        }
        let (jobs, queue) = bounded::<Job>(QUEUE);
        let results = Arc::new(Results::new(&engine));
        let mut pool = Pool { jobs: Some(jobs), threads: Vec::with_capacity(threads) };
        for number in 0..threads {
            let mut grader = Grader::new(&engine)?;
            let (engine, queue, results) = (engine.clone(), queue.clone(), results.clone());
            let work = move || {
                for job in queue {
                    let key = results.key(&job.problem, &job.code);
                    let report = results.get(&key).unwrap_or_else(|| {
                        let graded = grade(&engine, &mut grader, &job);
                        if let Ok(report) = &graded {
                            results.put(key, report);
                        }
                        // What the sandbox failed at is not remembered.
                        graded.unwrap_or_else(|error| lost(&error.to_string()))
                    });
                    // Nobody waiting for it any more is not an error.
                    let _ = job.reply.send(report);
                }
            };
            let builder = std::thread::Builder::new().name(format!("grade-{number}")).stack_size(STACK);
            pool.threads.push(builder.spawn(work).map_err(Error::Thread)?);
        }
        Ok(pool)
    }

    /// Queue a submission. Returns at once unless the queue is full.
    pub fn submit(&self, problem: Arc<Problem>, code: String) -> Ticket {
        let (reply, receiver) = bounded(1);
        if let Some(jobs) = &self.jobs {
            // A queue without threads drops the job, and the ticket says so.
            let _ = jobs.send(Job { problem, code, reply });
        }
        Ticket { receiver }
    }

    /// Grade all, reports in the order of the jobs. Jobs are drawn as the queue takes them.
    pub fn grade_all(&self, jobs: impl IntoIterator<Item = (Arc<Problem>, String)>) -> Vec<Report> {
        let tickets: Vec<Ticket> = jobs.into_iter().map(|(problem, code)| self.submit(problem, code)).collect();
        tickets.into_iter().map(Ticket::wait).collect()
    }
}

impl Drop for Pool {
    /// Finish what is queued, then stop.
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Grade with a fresh grader in reserve: a failure of the sandbox itself is tried once more before it is reported.
fn grade(engine: &Engine, grader: &mut Grader, job: &Job) -> Result<Report> {
    match grader.grade(&job.problem, &job.code) {
        Err(Error::Backstop { seconds }) => Err(Error::Backstop { seconds }),
        Err(_) => {
            *grader = Grader::new(engine)?;
            grader.grade(&job.problem, &job.code)
        }
        graded => graded,
    }
}

/// The report of a submission that the sandbox failed to grade.
fn lost(reason: &str) -> Report {
    let test = TestReport {
        name: "sandbox".into(),
        outcome: Outcome::Crashed,
        message: format!("not the program's fault: {reason}"),
        trace: String::new(),
        output: String::new(),
        earned: 0.0,
        possible: 1.0,
        weight: 1.0,
        hidden: false,
    };
    Report::new(vec![test], 0, 0)
}

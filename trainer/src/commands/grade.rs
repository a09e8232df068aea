//! `novice grade`: JSON lines in, JSON lines out, in the same order.
//!
//! Lines are read as they come and answers are written as soon as those before them are out, so the command can sit in
//! a pipe. A line that is no submission is answered with an error in its place; the exit status is then 1.

use crate::error::{Error, Result};
use crate::monitor::Counter;
use crate::workshop::threads;
use anyhow::anyhow;
use clap::{Args, ValueEnum};
use novice_sandbox::{Course, Deviation, Engine, EngineOptions, FeedbackLevel, Outcome, Pool, Report, Ticket};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::mpsc;

/// Submissions that may be under way at once: more would only wait in memory.
const IN_FLIGHT: usize = 512;
/// Submissions behind the one that is waited for, beyond which waiting need not be exact, and how exact it is then.
const BACKLOG: usize = 64;
const NAP: Duration = Duration::from_millis(2);

#[derive(Debug, Args)]
pub(super) struct Grade {
    /// The course: a YAML file or a folder.
    #[arg(long)]
    course: PathBuf,
    /// Submissions, one JSON object a line: {"id", "problem", "code"}; `-` for stdin.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// What the feedback text says.
    #[arg(long, value_enum, default_value = "full")]
    feedback: Level,
    /// Grading threads; 0 for one a core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Time limit of a test that sets none, in milliseconds of counted instructions.
    #[arg(long, default_value_t = 1000)]
    timeout_ms: u64,
    /// Memory limit of a submission.
    #[arg(long, default_value_t = 256)]
    memory_mb: u32,
    /// Grade equal submissions again instead of remembering their reports.
    #[arg(long)]
    no_cache: bool,
    /// Keep reports on disk too, for later runs.
    #[arg(long, conflicts_with = "no_cache")]
    keep_reports: bool,
    /// Grade as the published grader does in this respect; may be given many times.
    #[arg(long, value_name = "NAME")]
    deviation: Vec<Deviation>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Level {
    None,
    Summary,
    Full,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    problem: String,
    code: String,
}

/// What the writer gets for each line, in order.
enum Answer {
    Graded { id: Value, problem: String, ticket: Ticket },
    Refused { id: Value, message: String },
}

impl Grade {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let course = Course::load(&self.course).map_err(Error::from)?;
        let options = EngineOptions {
            memory_mb: self.memory_mb,
            timeout_ms: self.timeout_ms,
            cached_reports: if self.no_cache { 0 } else { EngineOptions::default().cached_reports },
            keep_reports: self.keep_reports,
            deviations: self.deviation.iter().copied().collect(),
            ..EngineOptions::default()
        };
        let pool =
            Pool::new(Engine::open(&options).map_err(Error::from)?, threads(self.threads)).map_err(Error::from)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let refused = runtime.block_on(self.stream(&course, &pool))?;
        // A reader blocked on a terminal must not keep the process alive.
        runtime.shutdown_background();
        match refused {
            0 => Ok(()),
            n => Err(anyhow!("{n} of the lines could not be graded; each has an \"error\" in its place")),
        }
    }

    async fn stream(&self, course: &Course, pool: &Pool) -> anyhow::Result<usize> {
        let (total, input): (Option<u64>, Box<dyn AsyncRead + Unpin + Send>) = if self.file.as_os_str() == "-" {
            (None, Box::new(tokio::io::stdin()))
        } else {
            let bytes = std::fs::read(&self.file).map_err(Error::io("read", &self.file))?;
            let lines = bytes.split(|b| *b == b'\n').filter(|l| !l.trim_ascii().is_empty()).count();
            (Some(lines as u64), Box::new(std::io::Cursor::new(bytes)))
        };
        let (sender, receiver) = mpsc::channel(IN_FLIGHT);
        let level = match self.feedback {
            Level::None => FeedbackLevel::None,
            Level::Summary => FeedbackLevel::Summary,
            Level::Full => FeedbackLevel::Full,
        };
        let writer = tokio::task::spawn_blocking(move || write_answers(receiver, level, total));
        let mut reader = BufReader::new(input);
        let (mut buffer, mut number) = (Vec::new(), 0);
        loop {
            buffer.clear();
            if reader.read_until(b'\n', &mut buffer).await? == 0 {
                break;
            }
            number += 1;
            if buffer.trim_ascii().is_empty() {
                continue;
            }
            // Handing over a job waits while the pool's queue is full.
            let answer = tokio::task::block_in_place(|| accept(&buffer, number, course, pool));
            if sender.send(answer).await.is_err() {
                break;
            }
        }
        drop(sender);
        Ok(writer.await??)
    }
}

/// Hands a line to the pool, or says why it cannot be graded.
fn accept(bytes: &[u8], number: usize, course: &Course, pool: &Pool) -> Answer {
    let line: Line = match serde_json::from_slice(bytes) {
        Ok(line) => line,
        Err(e) => {
            let message = format!("line {number}: an object with \"problem\" and \"code\" is expected: {e}");
            return Answer::Refused { id: Value::Null, message };
        }
    };
    match course.problem(&line.problem) {
        Some(problem) => {
            let ticket = pool.submit(problem.clone(), line.code);
            Answer::Graded { id: line.id, problem: line.problem, ticket }
        }
        None => {
            let known = course.problems.iter().map(|p| p.id.as_str());
            let near = known.min_by_key(|id| strsim::damerau_levenshtein(id, &line.problem)).unwrap_or_default();
            let message = format!("line {number}: problem: `{}` is not in the course; nearest: `{near}`", line.problem);
            Answer::Refused { id: line.id, message }
        }
    }
}

/// Writes answers in order; returns how many lines were refused.
fn write_answers(mut answers: mpsc::Receiver<Answer>, level: FeedbackLevel, total: Option<u64>) -> Result<usize> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let progress = Counter::new("grading", "submission", total);
    let (mut refused, mut verdicts) = (0, BTreeMap::<Outcome, usize>::new());
    let mut grades = 0.0;
    while let Some(answer) = answers.blocking_recv() {
        let value = match answer {
            Answer::Graded { id, problem, ticket } => {
                let report = patient(ticket, answers.len());
                *verdicts.entry(report.verdict).or_default() += 1;
                grades += report.grade;
                report.to_json(id, &problem, level)
            }
            Answer::Refused { id, message } => {
                refused += 1;
                json!({"id": id, "error": message})
            }
        };
        progress.advance(1);
        writeln!(out, "{value}").map_err(Error::io("write", "stdout"))?;
        if answers.is_empty() {
            out.flush().map_err(Error::io("write", "stdout"))?;
        }
    }
    out.flush().map_err(Error::io("write", "stdout"))?;
    progress.finish();
    summary(&verdicts, grades, refused);
    Ok(refused)
}

/// The report of a ticket. With many more to come it is looked for now and then: to be woken for each costs more than it gains.
fn patient(ticket: Ticket, more: usize) -> Report {
    if more <= BACKLOG {
        return ticket.wait();
    }
    loop {
        match ticket.try_wait() {
            Some(report) => return report,
            None => std::thread::sleep(NAP),
        }
    }
}

/// The table of verdicts, on stderr.
fn summary(verdicts: &BTreeMap<Outcome, usize>, grades: f64, refused: usize) {
    let graded: usize = verdicts.values().sum();
    for (verdict, count) in verdicts {
        eprintln!("{:>16} {count:>8} {:>6.1} %", verdict.name(), 100.0 * *count as f64 / graded.max(1) as f64);
    }
    if refused > 0 {
        eprintln!("{:>16} {refused:>8}", "not graded");
    }
    eprintln!("{:>16} {graded:>8}   mean grade {:.2}", "graded", grades / graded.max(1) as f64);
}

//! What a run shows while it goes on: `metrics.jsonl`, TensorBoard, progress, a few conversations.
//!
//! | file in the run's folder | holds | same bytes after a resume |
//! |---|---|---|
//! | `metrics.jsonl` | `{"stage", "step", …numbers}`, one object a step | yes |
//! | `rollouts.jsonl` | `{"stage", "step", …}`, one object a rollout | yes |
//! | `rollouts/` | a file a step of DAPO: the same token by token (`stage::dapo`) | yes |
//! | `timings.jsonl` | `{"stage", "step", …seconds and rates}` | no: it tells of this machine |
//! | `tensorboard/` | all numbers, histograms, conversations as text | no: it tells the time of day |
//!
//! Progress goes to stderr: a bar on a terminal, a line now and then in a log file. When a run is resumed, everything
//! that was logged after the checkpoint is cut away first, because it will be logged again ([`ResumeAt`]).

mod conversation;
mod counter;
mod events;
mod hparams;
mod lines;
mod logging;
mod progress;
mod records;
mod resume;
mod stage;
mod summaries;

pub use conversation::{conversation_markdown, render_conversation};
pub use counter::Counter;
pub use hparams::{Session, write_sessions};
pub use logging::init as init_logging;
pub use progress::{ProgressMode, say};
pub use resume::ResumeAt;
pub use stage::StageMonitor;

use crate::Result;
use events::EventLog;
use lines::Lines;
use std::path::Path;

/// What is written, besides the JSON lines, which always are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MonitorOptions {
    /// Write TensorBoard logs.
    pub tensorboard: bool,
    /// How progress is shown.
    pub progress: ProgressMode,
}

impl Default for MonitorOptions {
    fn default() -> Self {
        MonitorOptions { tensorboard: true, progress: ProgressMode::Auto }
    }
}

/// The record of one run.
pub struct Monitor {
    metrics: Lines,
    timings: Lines,
    rollouts: Lines,
    events: Option<EventLog>,
    progress: ProgressMode,
    resume: Option<ResumeAt>,
}

impl Monitor {
    /// Opens the record in a run's folder: empty, or, with `resume`, as it was at that point.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when a file cannot be written.
    pub fn open(run: &Path, options: &MonitorOptions, resume: Option<ResumeAt>) -> Result<Monitor> {
        let at = resume.as_ref();
        let events = match options.tensorboard {
            true => Some(EventLog::open(&run.join("tensorboard"), at)?),
            false => None,
        };
        Ok(Monitor {
            metrics: Lines::open(&run.join("metrics.jsonl"), at)?,
            timings: Lines::open(&run.join("timings.jsonl"), at)?,
            rollouts: Lines::open(&run.join("rollouts.jsonl"), at)?,
            events,
            progress: options.progress,
            resume,
        })
    }

    /// Begins a stage of `total` steps. The name is without `/`; tags and lines bear it. A stage that is resumed is
    /// shown from its first step that is not done.
    pub fn stage(&mut self, name: &str, total: u64) -> StageMonitor<'_> {
        let done = self.resume.as_ref().filter(|at| at.stage == name).map_or(0, |at| at.step);
        StageMonitor::new(self, name, total, done)
    }

    /// Flushes everything to disk. Call it before a checkpoint is saved, so that no line is missing after a resume.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    pub fn sync(&mut self) -> Result<()> {
        self.metrics.sync()?;
        self.timings.sync()?;
        self.rollouts.sync()?;
        self.events.as_mut().map_or(Ok(()), EventLog::sync)
    }
}

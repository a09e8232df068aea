//! A prompted model behind an HTTP API as a policy: what a student simulator is worth that was not trained at all.
//!
//! Any server that answers `POST {base_url}/chat/completions` as OpenAI's does. Its learners read what a model of this run
//! would (system prompt, problem, submissions, the grader's answers; the oldest left out by the same rule), their programs are
//! found and graded by the same rules, and what comes out is the same [`Rollout`]. Lengths are counted in the run's tokens, so that
//! policies are compared by one measure; only `max_new_tokens` is in the model's own.
//!
//! This room stands behind `rollout` and `workshop` and before `evaluate`, which rolls it out beside the others. It is the only one that
//! opens a connection.
//!
//! | room | job |
//! |---|---|
//! | `request` | a conversation as the body of a request, and the hash that names it |
//! | `answer` | what came back, read; a server's own words for what went wrong |
//! | `client` | one request over HTTP; keeps the key to itself |
//! | `retry` | what passes by itself, and how long to wait for it |
//! | `pace` | requests and tokens a minute |
//! | `journal` | every answer on disk before it is used, so that nothing is asked twice |
//! | `usage` | requests, tokens, cost |
//! | `ask` | all of these together: an answer, from the journal or from the server |
//! | `learner` | the learner's loop |
//!
//! Answers come in any order; nothing that is written depends on it. What this room does not do: stream, call tools, ask
//! for several answers at once, or stop at `dialogue.stop`.

mod answer;
mod ask;
mod client;
mod journal;
mod learner;
mod pace;
mod request;
mod retry;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod usage;

pub use usage::Usage;

use crate::config::{RemoteSettings, Run};
use crate::error::{Error, Result};
use crate::rollout::Rollout;
use crate::traces::Trajectory;
use crate::workshop::Workshop;
use ask::Asker;
use futures_util::StreamExt;
use std::path::Path;

/// Where a rollout begins: after `position` submissions of a trajectory.
#[derive(Debug, Clone, Copy)]
pub struct Beginning<'a> {
    /// The trajectory.
    pub trajectory: &'a Trajectory,
    /// Its submissions that the learner has behind it.
    pub position: usize,
}

/// A prompted model, and everything that it has answered so far.
#[derive(Debug)]
pub struct Remote {
    asker: Asker,
}

impl Remote {
    /// A policy that keeps its answers in `folder`, which is made if it is not there. Nothing is sent yet.
    ///
    /// # Errors
    /// When the journal cannot be read, or another process works with it.
    pub fn open(settings: &RemoteSettings, run: &Run, folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
        Ok(Remote { asker: Asker::open(settings, run, folder)? })
    }

    /// One rollout from each beginning, in order. `progress` is told how many have ended.
    ///
    /// # Errors
    /// When the server refuses a request, or does not answer it however often it is asked; when the journal cannot be
    /// written. What was answered until then is in the journal.
    pub fn run(&self, workshop: &Workshop, beginnings: &[Beginning], progress: &dyn Fn(usize)) -> Result<Vec<Rollout>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|e| Error::Failed(format!("cannot start the client: {e}")))?;
        let mut rollouts: Vec<Rollout> = vec![Rollout::default(); beginnings.len()];
        let (mut failed, mut ended) = (None, 0);
        runtime.block_on(async {
            let learners = beginnings.iter().enumerate();
            let learners = learners.map(async |(i, begin)| (i, learner::learn(&self.asker, workshop, *begin).await));
            let mut learners =
                futures_util::stream::iter(learners).buffer_unordered(self.asker.settings.max_concurrent);
            while let Some((i, learned)) = learners.next().await {
                match learned {
                    Ok(rollout) => rollouts[i] = rollout,
                    Err(error) => {
                        // Requests that are under way are paid for: their answers are still waited for.
                        self.asker.stop();
                        failed = failed.take().or(Some(error));
                    }
                }
                ended += 1;
                if failed.is_none() {
                    progress(ended);
                }
            }
        });
        failed.map_or(Ok(rollouts), Err)
    }

    /// What it took so far.
    pub fn usage(&self) -> Usage {
        self.asker.usage()
    }
}

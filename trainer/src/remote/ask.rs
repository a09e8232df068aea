//! [`Asker`]: an answer to a conversation, from the journal, or from the server however often it must be asked.

use super::answer::Answer;
use super::client::{Client, Failure};
use super::journal::Journal;
use super::pace::Meter;
use super::request::{self, Identity};
use super::retry;
use super::usage::Usage;
use crate::config::{RemoteSettings, Run, Sampling};
use crate::dialogue::Role;
use crate::error::{Error, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Bytes that count as a token until the server has said how many there were.
const BYTES_A_TOKEN: usize = 3;

/// A wait that a person should know of.
const LONG_WAIT: Duration = Duration::from_secs(30);

/// A server, with all that is kept between two requests.
#[derive(Debug)]
pub(super) struct Asker {
    pub settings: RemoteSettings,
    sampling: Sampling,
    max_new_tokens: usize,
    seed: u64,
    client: Client,
    /// What changes; held only for moments, never while something is waited for.
    state: Mutex<State>,
    begun: Instant,
    stopped: AtomicBool,
    /// Wakes those who wait when all is stopped.
    stopping: Notify,
}

#[derive(Debug)]
struct State {
    journal: Journal,
    requests: Meter,
    tokens: Meter,
    usage: Usage,
}

impl Asker {
    /// # Errors
    /// The client's and the journal's.
    pub fn open(settings: &RemoteSettings, run: &Run, folder: &Path) -> Result<Self> {
        let state = State {
            journal: Journal::open(&folder.join(format!("{}.jsonl", settings.name)))?,
            requests: Meter::new(settings.requests_per_minute),
            tokens: Meter::new(settings.tokens_per_minute),
            usage: Usage::new(settings),
        };
        Ok(Asker {
            settings: settings.clone(),
            sampling: settings.sampling.unwrap_or(run.evaluate.sampling),
            max_new_tokens: settings.max_new_tokens.unwrap_or(run.evaluate.max_new_tokens),
            seed: run.seed,
            client: Client::new(settings, |name| std::env::var(name).ok())?,
            state: Mutex::new(state),
            begun: Instant::now(),
            stopped: AtomicBool::new(false),
            stopping: Notify::new(),
        })
    }

    /// No request is sent from now on, and nobody waits.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.stopping.notify_waiters();
    }

    /// # Errors
    /// [`Error::Interrupted`] after [`Asker::stop`].
    fn go_on(&self) -> Result<()> {
        if self.stopped.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Waits, unless all is stopped.
    async fn pause(&self, wait: Duration) -> Result<()> {
        let stopping = self.stopping.notified();
        self.go_on()?;
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopping => {}
        }
        self.go_on()
    }

    pub fn usage(&self) -> Usage {
        let mut usage = self.state().usage.clone();
        usage.price(&self.settings);
        usage
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the model says to a conversation.
    ///
    /// # Errors
    /// When the server refuses, or does not answer however often it is asked; the journal's; after [`Asker::stop`].
    pub async fn ask(&self, messages: &[(Role, String)], identity: Identity) -> Result<Answer> {
        self.go_on()?;
        let seed = identity.seed(self.seed);
        let body = request::body(&self.settings, messages, self.sampling, self.max_new_tokens, seed);
        let key = request::key(&self.settings.base_url, &body, &identity);
        {
            let mut state = self.state();
            if let Some(answer) = state.journal.get(&key).cloned() {
                state.usage.count(&answer, true);
                return Ok(answer);
            }
        }
        let estimate = messages.iter().map(|(_, text)| text.len()).sum::<usize>() / BYTES_A_TOKEN + self.max_new_tokens;
        let answer = self.insist(&body.to_string(), estimate as f64, &identity).await?;
        let mut state = self.state();
        state.journal.keep(key, identity, &answer)?;
        state.usage.count(&answer, false);
        Ok(answer)
    }

    /// Sends a body until it is answered or there is no hope.
    async fn insist(&self, body: &str, estimate: f64, identity: &Identity) -> Result<Answer> {
        let mut attempt = 0;
        loop {
            self.pause(self.turn(estimate)).await?;
            {
                let mut state = self.state();
                state.usage.requests += 1;
                state.usage.retries += u64::from(attempt > 0);
            }
            let (why, asked) = match self.client.post(body.to_string()).await {
                Ok(answer) => {
                    if let Some((prompt, completion)) = answer.prompt_tokens.zip(answer.completion_tokens) {
                        self.state().tokens.correct((prompt + completion) as f64 - estimate);
                    }
                    return Ok(answer);
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(why, asked)) => (why, asked),
            };
            if attempt == self.settings.max_retries {
                return Err(Error::Failed(format!(
                    "{}: no answer after {} requests; the last one: {why}\nwhat was answered is kept in {}: run it again \
                     to go on, with a larger `max_retries`, `backoff_ms` or `timeout_s` if need be",
                    self.client.who(),
                    attempt + 1,
                    self.state().journal.path().display()
                )));
            }
            let unit = identity.unit(self.seed, "remote backoff", attempt);
            let backoff = Duration::from_millis(self.settings.backoff_ms);
            let wait = retry::wait(backoff, attempt, unit, asked);
            let (who, seconds) = (self.client.who(), wait.as_secs_f64());
            if wait > LONG_WAIT {
                tracing::warn!("{who}: asking again in {seconds:.0} s: {why}");
            } else {
                tracing::info!("{who}: asking again in {seconds:.2} s: {why}");
            }
            self.pause(wait).await?;
            attempt += 1;
        }
    }

    /// Takes a turn under the limits of requests and tokens; gives the time until it comes.
    fn turn(&self, tokens: f64) -> Duration {
        let (mut state, now) = (self.state(), self.begun.elapsed().as_secs_f64());
        let seconds = state.requests.reserve(1.0, now).max(state.tokens.reserve(tokens, now));
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

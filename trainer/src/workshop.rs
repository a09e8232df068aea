//! What every command opens first: the sandbox, the course, the data, the tokenizer; `models` is how a model is got and kept.
//!
//! A [`Workshop`] joins the rooms that turn a configuration into trees of tokens, so that stages, evaluation and
//! simulation build the same conversation from the same trajectory.

mod models;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use models::{device, kind, model_folder};

use crate::config::{Run, Sampling, SandboxSettings};
use crate::dialogue::{Conversation, Dialogue, Limits, Role, Turn};
use crate::error::{Error, Result};
use crate::generate::RngKey;
use crate::model::Model;
use crate::monitor::Counter;
use crate::rollout::{self, Classroom, Rollout, Start};
use crate::tokens::{
    Body, ConversationTrees, PairTrees, Renderer, Tokenizer, Transcript, conversation_trees, pair_trees,
};
use crate::traces::{self, Dataset, Pair, Trajectory, pairs};
use novice_sandbox::{Course, Engine, EngineOptions, Pool, Problem};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The sandbox, the course and the data of a run.
pub struct Workshop {
    /// The configuration.
    pub run: Run,
    /// Problems and tests.
    pub course: Course,
    /// Grades.
    pub pool: Pool,
    /// Hash of the sandbox's guest.
    pub guest: String,
    /// Trajectories, split.
    pub dataset: Dataset,
    /// Trajectories to turns.
    pub dialogue: Dialogue,
    /// Words the answers to the submissions of a policy that is evaluated; as `dialogue` unless `evaluate.feedback` says otherwise.
    pub evaluated: Dialogue,
    /// Turns to tokens.
    pub renderer: Renderer,
}

/// Opens the sandbox and reads the course and the data: what can be done without a tokenizer.
///
/// # Errors
/// Whatever is wrong with the course or the logs; the sandbox's own.
pub fn open_data(run: &Run) -> Result<(Course, Pool, String, Dataset)> {
    let course = Course::load(&run.data.course)?;
    let (pool, guest) = open_pool(&run.sandbox)?;
    let progress = Counter::new("grading the logs", "program", None);
    let dataset = traces::load(&run.data, &course, &pool, run.seed, &|done, total| progress.set(done, total))?;
    progress.finish();
    Ok((course, pool, guest, dataset))
}

fn open_pool(settings: &SandboxSettings) -> Result<(Pool, String)> {
    let options = EngineOptions {
        memory_mb: settings.memory_mb,
        timeout_ms: settings.timeout_ms,
        keep_reports: settings.keep_reports,
        deviations: settings.deviations.clone(),
        ..EngineOptions::default()
    };
    let engine = Engine::open(&options)?;
    let guest = engine.guest_hash().to_string();
    Ok((Pool::new(engine, threads(settings.threads))?, guest))
}

impl Workshop {
    /// Opens everything. `saved` is the run folder's own tokenizer, used when it is there.
    ///
    /// # Errors
    /// What is wrong with course, logs or tokenizer.
    pub fn open(run: &Run, saved: Option<&Path>) -> Result<Self> {
        let (course, pool, guest, dataset) = open_data(run)?;
        let dialogue = Dialogue::new(&run.dialogue);
        let tokenizer = match (saved.filter(|p| p.exists()), run.tokenizer.path.as_deref(), run.model.path.as_deref()) {
            (Some(path), _, _) | (None, Some(path), _) | (None, None, Some(path)) => Tokenizer::load(path)?,
            (None, None, None) => train_tokenizer(run, &dialogue, &course, &dataset)?,
        };
        let renderer = Renderer::new(Arc::new(tokenizer), run.tokenizer.template)?;
        Ok(Workshop::assemble(run, course, (pool, guest), dataset, renderer))
    }

    /// The workshop of what is open already.
    fn assemble(
        run: &Run,
        course: Course,
        (pool, guest): (Pool, String),
        dataset: Dataset,
        renderer: Renderer,
    ) -> Self {
        let dialogue = Dialogue::new(&run.dialogue);
        let evaluated = run.evaluate.feedback.map_or_else(|| dialogue.clone(), |level| dialogue.answering(level));
        Workshop { run: run.clone(), course, pool, guest, dataset, dialogue, evaluated, renderer }
    }

    /// The problem of a trajectory.
    ///
    /// # Errors
    /// When the course does not have it.
    pub fn problem(&self, id: &str) -> Result<&Arc<Problem>> {
        self.course.problem(id).ok_or_else(|| Error::Usage(format!("there is no problem `{id}` in the course")))
    }

    /// A trajectory as a conversation.
    ///
    /// # Errors
    /// When the course does not have its problem.
    pub fn conversation(&self, trajectory: &Trajectory) -> Result<Conversation> {
        Ok(self.dialogue.conversation(trajectory, self.problem(&trajectory.problem)?))
    }

    fn transcript(&self, trajectory: &Trajectory) -> Result<Transcript> {
        Transcript::new(&self.renderer, &self.conversation(trajectory)?)
    }

    fn limits(&self) -> Limits {
        let settings = &self.run.dialogue;
        Limits { max_tokens: settings.max_tokens, reserve_tokens: settings.reserve_tokens }
    }

    /// The trees in which every submission of a trajectory is a target once; more than one when it is too long.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn sft_trees(&self, trajectory: &Trajectory) -> Result<ConversationTrees> {
        let first_target = usize::from(!self.run.sft.train_first_submission);
        conversation_trees(&self.transcript(trajectory)?, self.limits(), first_target)
    }

    /// The preference pairs of a trajectory.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn pair_trees(&self, trajectory: &Trajectory) -> Result<PairTrees> {
        let settings = &self.run.dpo;
        let pairs = pairs(trajectory, settings.pairs, settings.max_pairs_per_trajectory, self.run.seed);
        let code = |step: usize| trajectory.steps.get(step).map(|step| step.code.as_str());
        let with_rejected = |pair: Pair| {
            let before = pair.chosen.checked_sub(1).and_then(code);
            let turn = self.dialogue.submission(pair.chosen, before, code(pair.rejected).unwrap_or_default());
            Ok((pair, Body::new(&self.renderer, &turn)?))
        };
        let pairs: Vec<(Pair, Body)> = pairs.into_iter().map(with_rejected).collect::<Result<_>>()?;
        pair_trees(&self.transcript(trajectory)?, &pairs, self.limits())
    }

    /// What a rollout looks like from the preamble on: the turns before it, and its own, with the grader's answers.
    ///
    /// # Errors
    /// As [`Workshop::conversation`].
    pub fn told(&self, trajectory: &Trajectory, position: usize, rollout: &Rollout) -> Result<Vec<(Role, String)>> {
        let conversation = self.conversation(trajectory)?;
        let before = conversation.turns.into_iter().filter(|t| t.step.is_none_or(|step| step < position));
        let mut turns: Vec<(Role, String)> = before.map(|t| (t.role, t.text)).collect();
        for turn in &rollout.turns {
            turns.push((Role::Assistant, turn.text.clone()));
            turns.extend(turn.report.is_some().then(|| (Role::User, turn.feedback.clone())));
        }
        Ok(turns)
    }

    /// Learners of `model` who make up to `turns` submissions of up to `max_new_tokens` tokens in this run's dialogue.
    pub fn classroom<'a>(
        &'a self,
        model: &'a Model,
        turns: usize,
        max_new_tokens: usize,
        sampling: Sampling,
    ) -> Classroom<'a> {
        let limits = self.rollout_limits(turns, max_new_tokens);
        let Workshop { renderer, dialogue, pool, .. } = self;
        Classroom { model, renderer, dialogue, pool, limits, sampling, stop: &self.run.dialogue.stop }
    }

    /// [`Workshop::classroom`] for an evaluation: its learners are answered as `evaluate.feedback` says.
    pub fn evaluation<'a>(&'a self, model: &'a Model) -> Classroom<'a> {
        let settings = &self.run.evaluate;
        let classroom = self.classroom(model, settings.horizon, settings.max_new_tokens, settings.sampling);
        Classroom { dialogue: &self.evaluated, ..classroom }
    }

    /// What bounds a rollout of up to `turns` submissions of up to `max_new_tokens` tokens.
    pub fn rollout_limits(&self, turns: usize, max_new_tokens: usize) -> rollout::Limits {
        let max_tokens = self.run.dialogue.max_tokens;
        rollout::Limits { turns, max_new_tokens, max_tokens, max_repeats: 0, grading_delay: Duration::ZERO }
    }

    /// What is said before submission `position` of a trajectory, in the turns that [`Workshop::start`] has as tokens.
    ///
    /// # Errors
    /// As [`Workshop::start`].
    pub fn said(&self, trajectory: &Trajectory, position: usize) -> Result<Option<Said>> {
        let conversation = self.conversation(trajectory)?;
        let prompt = Transcript::new(&self.renderer, &conversation)?.prompt(position, self.limits());
        Ok(prompt.map(|prompt| {
            let kept = |turn: &Turn| turn.step.is_none_or(|step| (prompt.start..position).contains(&step));
            let text = |turn: &Turn| match turn.step == Some(prompt.start) {
                true => turn.as_oldest().to_string(),
                false => turn.text.clone(),
            };
            let turns = conversation.turns.iter().filter(|turn| kept(turn)).map(|turn| (turn.role, text(turn)));
            let program = last_program(trajectory, prompt.start, position);
            Said { turns: turns.collect(), tokens: prompt.tokens.len(), program }
        }))
    }

    /// The start after `position` submissions of a trajectory; `None` when not even its preamble fits.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn start(&self, trajectory: &Trajectory, position: usize, key: RngKey) -> Result<Option<Start>> {
        let prompt = self.transcript(trajectory)?.prompt(position, self.limits());
        let problem = self.problem(&trajectory.problem)?.clone();
        Ok(prompt.map(|prompt| {
            let program = last_program(trajectory, prompt.start, position);
            Start { prompt: prompt.tokens, problem, program, key }
        }))
    }
}

/// What is said before a submission.
#[derive(Debug, Clone)]
pub struct Said {
    /// Who said what.
    pub turns: Vec<(Role, String)>,
    /// Tokens of it, with the header of the submission.
    pub tokens: usize,
    /// The program handed in last, as [`Start::program`].
    pub program: Option<String>,
}

/// The last of the submissions `start..position`, which a context still holds.
fn last_program(trajectory: &Trajectory, start: usize, position: usize) -> Option<String> {
    trajectory.steps.get(start..position)?.last().map(|step| step.code.clone())
}

/// Says how many threads 0 stands for, where several processes share the machine.
pub const THREADS_VARIABLE: &str = "NOVICE_THREADS";

/// `wanted` threads; for 0 as many as the environment's `NOVICE_THREADS` says, or one a core.
pub fn threads(wanted: usize) -> usize {
    let share = || std::env::var(THREADS_VARIABLE).ok()?.parse().ok().filter(|share| *share > 0);
    match wanted {
        0 => share().unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        _ => wanted,
    }
}

fn train_tokenizer(run: &Run, dialogue: &Dialogue, course: &Course, dataset: &Dataset) -> Result<Tokenizer> {
    let mut texts = Vec::new();
    for trajectory in &dataset.train {
        if let Some(problem) = course.problem(&trajectory.problem) {
            texts.extend(dialogue.conversation(trajectory, problem).turns.into_iter().map(|t| t.text));
        }
    }
    Tokenizer::train(texts.iter().map(String::as_str), run.tokenizer.train_vocab_size)
}

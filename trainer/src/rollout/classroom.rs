//! [`Classroom`]: many learners of one model at work side by side.
//!
//! Every learner is thinking (its turn is being decoded), waiting (its submission is being graded on other threads), or done.
//! Decoding goes on while others wait. **The schedule knows no clock**: a learner goes on at a step of decoding that is
//! fixed when it submits, some [`GRADING_STEPS`] to twice as many later, and if its grade is not there by then everybody
//! waits for it. So the same learners share the same passes whatever the number of threads and however long grading takes,
//! and the tokens are the same; grades that take less than those steps cost no time at all. When nobody is
//! thinking, whoever is next goes on at once.

use super::learner::{Learner, Submitted, submitted};
use super::{Limits, Rollout, Start};
use crate::config::Sampling;
use crate::dialogue::Dialogue;
use crate::error::{Error, Result};
use crate::generate::{Decoder, Drawn, RngKey, SlotId, Turn, TurnId};
use crate::model::Model;
use crate::tokens::Renderer;
use novice_sandbox::Pool;
use std::collections::{BTreeMap, VecDeque};
use std::ops::AddAssign;
use std::time::{Duration, Instant};

/// Steps of decoding between two moments at which graded learners go on: they read their feedback in one pass.
const GRADING_STEPS: u64 = 16;

/// Runs learners of one model.
pub struct Classroom<'a> {
    /// The model that thinks.
    pub model: &'a Model,
    /// Writes turns as tokens.
    pub renderer: &'a Renderer,
    /// Words the grader's answers.
    pub dialogue: &'a Dialogue,
    /// Grades.
    pub pool: &'a Pool,
    /// Bounds.
    pub limits: Limits,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Texts that end a turn, besides the stop token.
    pub stop: &'a [String],
}

/// What a classroom did.
#[derive(Debug)]
pub struct Rolled {
    /// One group a start, in order.
    pub groups: Vec<Vec<Rollout>>,
    /// Where the time went.
    pub spent: Spent,
}

/// Wall time by what it was spent on.
#[derive(Debug, Clone, Copy, Default)]
pub struct Spent {
    /// Prompts and feedback read by the model.
    pub reading: Duration,
    /// Tokens drawn.
    pub decoding: Duration,
    /// Nothing to do but wait for a grade.
    pub waiting: Duration,
}

impl AddAssign for Spent {
    fn add_assign(&mut self, more: Spent) {
        self.reading += more.reading;
        self.decoding += more.decoding;
        self.waiting += more.waiting;
    }
}

impl Spent {
    fn on<T>(part: &mut Duration, work: impl FnOnce() -> T) -> T {
        let begun = Instant::now();
        let done = work();
        *part += begun.elapsed();
        done
    }
}

/// A learner whose submission is being graded.
struct Waiting {
    learner: usize,
    /// The step of decoding at which it goes on.
    until: u64,
    submitted: Submitted,
}

impl Classroom<'_> {
    /// Rolls out `samples` learners from each start.
    ///
    /// `progress` is told how many learners have ended, out of how many.
    ///
    /// # Errors
    /// When the model or the sandbox fails; never because of what a learner wrote.
    pub fn run(&self, starts: &[Start], samples: usize, progress: &dyn Fn(usize, usize)) -> Result<Rolled> {
        let mut spent = Spent::default();
        let mut decoder = Decoder::new(self.model).with_stop_text(self.renderer.tokenizer(), self.stop);
        let slots = Spent::on(&mut spent.reading, || self.prefill(&mut decoder, starts, samples))?;
        let seat = |(i, slot): (usize, SlotId)| {
            let (start, sample) = (&starts[i / samples], (i % samples) as u32);
            Learner::new(slot, start, RngKey { sample, ..start.key })
        };
        let mut learners: Vec<Learner> = slots.into_iter().enumerate().map(seat).collect();
        let (mut thinking, mut waiting) = (BTreeMap::new(), VecDeque::<Waiting>::new());
        for (i, learner) in learners.iter().enumerate() {
            thinking.insert(self.begin(&mut decoder, learner)?, i);
        }
        let (mut step, mut ended) = (0, 0);
        loop {
            let due = waiting.front().map(|next| next.until);
            if let Some(until) = due.filter(|&until| until <= step || decoder.decoding() == 0) {
                step = step.max(until);
                let now = waiting.iter().take_while(|w| w.until <= step).count();
                let mut going_on: Vec<(usize, Vec<u32>)> = Vec::new();
                for Waiting { learner: i, submitted, .. } in waiting.drain(..now) {
                    let graded = Spent::on(&mut spent.waiting, || submitted.wait(self.limits.grading_delay));
                    match learners[i].take(graded, self)? {
                        Some(reply) => going_on.push((i, reply)),
                        None => {
                            decoder.close(learners[i].slot);
                            ended += 1;
                        }
                    }
                }
                progress(ended, learners.len());
                let items: Vec<(SlotId, &[u32])> =
                    going_on.iter().map(|(i, reply)| (learners[*i].slot, reply.as_slice())).collect();
                Spent::on(&mut spent.reading, || decoder.feed(&items))?;
                for (i, _) in going_on {
                    thinking.insert(self.begin(&mut decoder, &learners[i])?, i);
                }
            } else if decoder.decoding() > 0 {
                let drawn = Spent::on(&mut spent.decoding, || decoder.step(&self.sampling))?;
                step += 1;
                for (turn, drawn) in drawn {
                    let unknown = || Error::Failed("a turn ended that nobody began".into());
                    let learner = thinking.remove(&turn).ok_or_else(unknown)?;
                    let submitted = self.submit(&learners[learner], drawn)?;
                    waiting.push_back(Waiting {
                        learner,
                        until: (step / GRADING_STEPS + 2) * GRADING_STEPS,
                        submitted,
                    });
                }
            } else {
                break;
            }
        }
        let mut rollouts = learners.into_iter().map(|learner| learner.rollout);
        let groups = starts.iter().map(|_| rollouts.by_ref().take(samples).collect()).collect();
        Ok(Rolled { groups, spent })
    }

    /// The next turn of a learner.
    fn begin(&self, decoder: &mut Decoder, learner: &Learner) -> Result<TurnId> {
        decoder.begin(&Turn {
            slot: learner.slot,
            max_new_tokens: self.limits.max_new_tokens.min(self.limits.max_tokens.saturating_sub(learner.tokens)),
            stop: &[self.renderer.stop()],
            key: RngKey { turn: learner.rollout.turns.len() as u32, ..learner.key },
        })
    }

    /// What was drawn, on its way to the grader when there is a program in it.
    pub(super) fn submit(&self, learner: &Learner, drawn: Drawn) -> Result<Submitted> {
        let text = self.renderer.body_text(&drawn.tokens)?;
        let handed_in = submitted(self.dialogue, &text, drawn.complete(), learner.program.as_deref());
        Ok(Submitted::new(drawn, text, handed_in, |program| self.pool.submit(learner.problem.clone(), program)))
    }
}

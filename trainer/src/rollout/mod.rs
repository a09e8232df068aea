//! The learner's loop: generate a submission, grade it in the sandbox, append the feedback, repeat.
//!
//! Many learners go through it at once. All of them decode together; a learner that has finished its submission is
//! handed to the grading pool at once, while the others go on decoding. When the last has finished, the feedback of all
//! is prefilled together. So the composition of every batch follows from the drawn tokens alone, never from how fast a
//! grading was: with one seed the same tokens come out whatever the number of workers.

mod learner;
mod line;
mod score;

pub use learner::{End, Rollout, Turn};
pub use line::{RolloutLine, SavedRollout, read_rollouts};
pub use score::{Beside, Scored, score, worth};

use crate::config::Sampling;
use crate::dialogue::{Dialogue, Unclosed, extract_program};
use crate::error::{Error, Result};
use crate::generate::{self, Decoder, RngKey, SlotId};
use crate::model::Model;
use crate::tokens::{Renderer, answer};
use learner::Learner;
use novice_rewards::view::SOLVED;
use novice_sandbox::{Pool, Problem, Ticket};
use std::sync::Arc;

/// Where a rollout begins: a conversation up to and including the header of the turn that is to be generated.
#[derive(Debug, Clone)]
pub struct Start {
    /// Tokens of the conversation so far, ending with the assistant's header.
    pub prompt: Vec<u32>,
    /// What the submissions are graded against.
    pub problem: Arc<Problem>,
    /// Names this start in the random numbers: the same key draws the same tokens.
    pub key: RngKey,
}

/// What bounds a rollout.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Submissions at most.
    pub turns: usize,
    /// Tokens of a submission at most.
    pub max_new_tokens: usize,
    /// Tokens of the whole conversation at most.
    pub max_tokens: usize,
}

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

impl Classroom<'_> {
    /// Rolls out `samples` learners from each start; the result has one group a start, in order.
    ///
    /// `progress` is told how many learners have ended, out of how many.
    ///
    /// # Errors
    /// When the model or the sandbox fails; never because of what a learner wrote.
    pub fn run(&self, starts: &[Start], samples: usize, progress: &dyn Fn(usize, usize)) -> Result<Vec<Vec<Rollout>>> {
        let mut decoder = Decoder::new(self.model).with_stop_text(self.renderer.tokenizer(), self.stop);
        let slots = self.prefill(&mut decoder, starts, samples)?;
        let mut learners: Vec<Learner> = slots
            .into_iter()
            .enumerate()
            .map(|(i, slot)| {
                let start = &starts[i / samples];
                let sample = (i % samples) as u32;
                Learner::new(slot, start.problem.clone(), RngKey { sample, ..start.key }, start.prompt.len())
            })
            .collect();
        for turn in 0..self.limits.turns {
            let active: Vec<usize> = (0..learners.len()).filter(|&i| learners[i].rollout.end.is_none()).collect();
            if active.is_empty() {
                break;
            }
            self.turn(&mut decoder, &mut learners, &active, turn)?;
            let ended = learners.iter().filter(|l| l.rollout.end.is_some()).count();
            progress(ended, learners.len());
        }
        let mut learners = learners.into_iter().map(Learner::finish);
        Ok((0..starts.len()).map(|_| learners.by_ref().take(samples).collect()).collect())
    }

    /// Feeds the prompts, each shared prefix once; slots in the order start by start, sample by sample.
    fn prefill(&self, decoder: &mut Decoder, starts: &[Start], samples: usize) -> Result<Vec<SlotId>> {
        // Prompts that are prefixes of one another stand side by side when sorted; the longest of a run is fed first.
        let mut order: Vec<usize> = (0..starts.len()).collect();
        order.sort_by(|&a, &b| starts[b].prompt.cmp(&starts[a].prompt).then(a.cmp(&b)));
        let mut slots: Vec<Option<SlotId>> = vec![None; starts.len()];
        let (mut whole, mut forks): (Vec<usize>, Vec<(usize, usize, usize)>) = (Vec::new(), Vec::new());
        for &i in &order {
            let shared = whole.last().map(|&w: &usize| (w, common_prefix(&starts[w].prompt, &starts[i].prompt)));
            match shared {
                // The last token is always fed anew: a slot's next draw follows from what was fed last.
                Some((w, len)) if 2 * len > starts[i].prompt.len() => {
                    forks.push((i, w, len.min(starts[i].prompt.len() - 1)));
                }
                _ => whole.push(i),
            }
        }
        for &i in &whole {
            slots[i] = Some(decoder.open());
        }
        let missing = || Error::Failed("a start has no slot".into());
        let items: Vec<(SlotId, &[u32])> =
            whole.iter().filter_map(|&i| Some((slots[i]?, starts[i].prompt.as_slice()))).collect();
        decoder.feed(&items)?;
        for &(i, from, len) in &forks {
            slots[i] = Some(decoder.fork(slots[from].ok_or_else(missing)?, len)?);
        }
        let items: Vec<(SlotId, &[u32])> =
            forks.iter().filter_map(|&(i, _, len)| Some((slots[i]?, &starts[i].prompt[len..]))).collect();
        decoder.feed(&items)?;
        let mut all = Vec::with_capacity(starts.len() * samples);
        for (slot, start) in slots.into_iter().zip(starts) {
            let slot = slot.ok_or_else(missing)?;
            all.push(slot);
            for _ in 1..samples {
                all.push(decoder.fork(slot, start.prompt.len())?);
            }
        }
        Ok(all)
    }

    /// One submission of every active learner, graded, and the feedback read.
    fn turn(&self, decoder: &mut Decoder, learners: &mut [Learner], active: &[usize], turn: usize) -> Result<()> {
        let stop = [self.renderer.stop()];
        let requests: Vec<generate::Turn> = active
            .iter()
            .map(|&i| generate::Turn {
                slot: learners[i].slot,
                max_new_tokens: self
                    .limits
                    .max_new_tokens
                    .min(self.limits.max_tokens.saturating_sub(learners[i].tokens)),
                stop: &stop,
                key: RngKey { turn: turn as u32, ..learners[i].key },
            })
            .collect();
        let mut graded: Vec<Option<(String, Ticket)>> = (0..active.len()).map(|_| None).collect();
        let mut failure = None;
        let drawn = decoder.decode(&requests, &self.sampling, &mut |request, drawn| match self
            .renderer
            .body_text(&drawn.tokens)
        {
            Ok(text) if drawn.complete() => {
                if let Some(program) = extract_program(&text, Unclosed::Refuse) {
                    let problem = learners[active[request]].problem.clone();
                    let ticket = self.pool.submit(problem, program.to_string());
                    graded[request] = Some((program.to_string(), ticket));
                }
            }
            Ok(_) => {}
            Err(e) => failure = Some(e),
        })?;
        if let Some(e) = failure {
            return Err(e);
        }
        let last = turn + 1 == self.limits.turns;
        let mut replies: Vec<(SlotId, Vec<u32>)> = Vec::new();
        for ((&i, drawn), graded) in active.iter().zip(drawn).zip(graded) {
            let learner = &mut learners[i];
            let (program, report) = match graded {
                Some((program, ticket)) => (Some(program), Some(ticket.wait())),
                None => (None, None),
            };
            let feedback = report.as_ref().map(|r| self.dialogue.feedback(turn, r));
            let solved = report.as_ref().is_some_and(|r| r.grade >= SOLVED);
            let mut reply = Vec::new();
            let room = self.limits.max_tokens.saturating_sub(learner.tokens + drawn.tokens.len());
            let mut end = match (drawn.complete(), &program) {
                (false, _) => Some(End::OutOfTokens),
                (true, None) => Some(End::Malformed),
                (true, Some(_)) if solved => Some(End::Solved),
                _ if last => Some(End::OutOfTurns),
                _ => None,
            };
            if let (None, Some(feedback)) = (end, &feedback) {
                reply = answer(self.renderer, drawn.stopped, feedback)?;
                reply.extend(self.renderer.assistant_header());
                if reply.len() + 1 >= room {
                    (reply, end) = (Vec::new(), Some(End::OutOfTokens));
                }
            }
            learner.tokens += drawn.tokens.len() + reply.len();
            let text = self.renderer.body_text(&drawn.tokens)?;
            let stopped = drawn.complete();
            learner.rollout.turns.push(Turn {
                tokens: drawn.tokens,
                log_probs: drawn.log_probs,
                stopped,
                text,
                program,
                report,
                feedback: feedback.map(|f| f.text).unwrap_or_default(),
                reply: reply.clone(),
            });
            learner.rollout.end = end;
            match end {
                None => replies.push((learner.slot, reply)),
                Some(_) => decoder.close(learner.slot),
            }
        }
        let items: Vec<(SlotId, &[u32])> = replies.iter().map(|(slot, reply)| (*slot, reply.as_slice())).collect();
        decoder.feed(&items)
    }
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

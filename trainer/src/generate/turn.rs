//! Decoding of turns: one token of every active slot a step, until each has drawn a stop token or used up its budget.
//!
//! [`Decoder::decode`] runs a set of turns to their end. Underneath are [`Decoder::begin`] and [`Decoder::step`], with
//! which a caller can let new turns join while others are still being decoded. A turn that ends leaves the batch at
//! once.
//!
//! The draw for token t of a turn is `key.uniform(t)`: it depends on the turn's key alone. The logits of a slot depend
//! on its own tokens alone, up to the rounding of the matrix kernels, which may sum in another order for another number
//! of rows.

use std::sync::Mutex;

use super::decoder::{Decoder, SlotId};
use super::rng::RngKey;
use super::sampler::{Draw, Sampler};
use crate::config::Sampling;
use crate::error::{Error, Result};
use crate::numbers::Numbers;
use crate::parallel;

/// From this many logits on, rows are shared out to several threads; in tests from the first, so that they are tested.
const PARALLEL_FROM: usize = if cfg!(test) { 1 } else { 1 << 16 };

/// What is to be decoded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn<'a> {
    /// The slot; it has at least one token.
    pub slot: SlotId,
    /// Tokens to draw at most, the stop token included.
    pub max_new_tokens: usize,
    /// Tokens that end the turn; the one that is drawn is part of it.
    pub stop: &'a [u32],
    /// Names the turn's random numbers.
    pub key: RngKey,
}

/// What was decoded.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drawn {
    /// The drawn tokens, with the stop token if one was drawn.
    pub tokens: Vec<u32>,
    /// The log-prob of each under the whole softmax at the sampling temperature (1 for greedy), nats.
    pub log_probs: Vec<f32>,
    /// Whether a stop token ended the turn; it is the last of `tokens`.
    pub stopped: bool,
    /// Whether a stop text ended the turn; there is no stop token then.
    pub stopped_by_text: bool,
}

impl Drawn {
    /// Whether the turn came to an end of its own; false: its budget was used up.
    pub fn complete(&self) -> bool {
        self.stopped || self.stopped_by_text
    }
}

/// A turn that was begun; unique within its decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TurnId(usize);

/// A turn that is being decoded.
pub(super) struct Active {
    id: TurnId,
    pub(super) slot: SlotId,
    max_new_tokens: usize,
    stop: Vec<u32>,
    key: RngKey,
    drawn: Drawn,
}

impl Decoder<'_> {
    /// Decodes `requests` to their end and returns what was drawn, in their order. `on_done` is told of each, by its
    /// index, as soon as it has ended, in the order of the steps and, within a step, of the requests; so what follows
    /// (grading) need not wait for the others.
    ///
    /// # Errors
    /// As [`Decoder::begin`] and [`Decoder::step`]; and when turns begun elsewhere are still being decoded.
    pub fn decode(
        &mut self,
        requests: &[Turn<'_>],
        sampling: &Sampling,
        on_done: &mut dyn FnMut(usize, &Drawn),
    ) -> Result<Vec<Drawn>> {
        if !self.active.is_empty() {
            return Err(Error::Usage(format!("{} turns are being decoded already", self.active.len())));
        }
        let result = self.decode_all(requests, sampling, on_done);
        // After an error nothing is left half begun.
        self.active.clear();
        result
    }

    fn decode_all(
        &mut self,
        requests: &[Turn<'_>],
        sampling: &Sampling,
        on_done: &mut dyn FnMut(usize, &Drawn),
    ) -> Result<Vec<Drawn>> {
        let first = self.turns_begun;
        for turn in requests {
            self.begin(turn)?;
        }
        let mut all = vec![Drawn::default(); requests.len()];
        while !self.active.is_empty() {
            for (id, drawn) in self.step(sampling)? {
                let index = id.0 - first;
                on_done(index, &drawn);
                if let Some(place) = all.get_mut(index) {
                    *place = drawn;
                }
            }
        }
        Ok(all)
    }

    /// Adds a turn to those that [`Decoder::step`] decodes.
    ///
    /// # Errors
    /// When the slot is closed, empty, or decoding already.
    pub fn begin(&mut self, turn: &Turn<'_>) -> Result<TurnId> {
        if self.is_empty(turn.slot)? {
            return Err(Error::Usage("a slot needs at least one token before it can decode: feed it a prompt".into()));
        }
        if self.active.iter().any(|a| a.slot == turn.slot) {
            return Err(Error::Usage("a slot can decode one turn at a time".into()));
        }
        let id = TurnId(self.turns_begun);
        self.turns_begun += 1;
        self.active.push(Active {
            id,
            slot: turn.slot,
            max_new_tokens: turn.max_new_tokens,
            stop: turn.stop.to_vec(),
            key: turn.key,
            drawn: Drawn::default(),
        });
        Ok(id)
    }

    /// Turns that are being decoded.
    pub fn decoding(&self) -> usize {
        self.active.len()
    }

    /// Draws one token for every turn that is being decoded and returns those that ended with it, in the order in which
    /// they began. A turn with a budget of 0 ends without a token.
    ///
    /// # Errors
    /// When a sampling setting is out of range, the model fails or its logits are not finite.
    pub fn step(&mut self, sampling: &Sampling) -> Result<Vec<(TurnId, Drawn)>> {
        sampling.check()?;
        let mut ended = self.take_ended();
        if !self.active.is_empty() {
            let batch: Vec<(SlotId, usize)> = self.active.iter().map(|turn| (turn.slot, 1)).collect();
            let hidden = self.forward(&batch)?;
            let logits = Numbers::of(&self.model.read_logits(&hidden)?)?;
            for (index, draw) in self.draw(&logits, sampling)?.into_iter().enumerate() {
                let turn = &mut self.active[index];
                turn.drawn.tokens.push(draw.token);
                turn.drawn.log_probs.push(draw.log_prob);
                turn.drawn.stopped = turn.stop.contains(&draw.token);
                if let (false, Some(stop)) = (turn.drawn.stopped, &self.stop_text) {
                    turn.drawn.stopped_by_text = stop.ends(&turn.drawn.tokens)?;
                }
                let slot = turn.slot;
                self.push(slot, draw.token)?;
            }
            ended.extend(self.take_ended());
        }
        Ok(ended)
    }

    /// One draw for each active turn from its row of `logits`; the rows are shared out to the threads.
    fn draw(&self, logits: &[f32], sampling: &Sampling) -> Result<Vec<Draw>> {
        let vocabulary = (logits.len() / self.active.len()).max(1);
        let rows: Vec<(&Active, &[f32])> = self.active.iter().zip(logits.chunks_exact(vocabulary)).collect();
        let threads =
            if logits.len() < PARALLEL_FROM { 1 } else { usize::try_from(tch::get_num_threads()).unwrap_or(1) };
        let share = rows.len().div_ceil(threads.max(1)).max(1);
        let draws: Vec<Mutex<Result<Vec<Draw>>>> = rows.chunks(share).map(|_| Mutex::new(Ok(Vec::new()))).collect();
        let work = |part: usize| {
            let drawn = Sampler::new(sampling).and_then(|mut sampler| {
                let rows = rows.iter().skip(part * share).take(share);
                rows.map(|(turn, row)| {
                    let u = if sampling.is_greedy() { 0.0 } else { turn.key.uniform(turn.drawn.tokens.len() as u64) };
                    sampler.draw(row, u)
                })
                .collect()
            });
            // Nobody else asks for this lock: a part is done once.
            if let Ok(mut place) = draws[part].lock() {
                *place = drawn;
            }
        };
        parallel::for_each(draws.len(), &work);
        let parts = draws.into_iter().map(|part| part.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()));
        Ok(parts.collect::<Result<Vec<_>>>()?.concat())
    }

    /// Removes the turns that are over.
    fn take_ended(&mut self) -> Vec<(TurnId, Drawn)> {
        let over = |turn: &mut Active| turn.drawn.complete() || turn.drawn.tokens.len() >= turn.max_new_tokens;
        self.active.extract_if(.., over).map(|turn| (turn.id, turn.drawn)).collect()
    }
}

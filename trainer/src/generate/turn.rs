//! Decoding of turns: a token of every active slot a step, and more where the next ones could be guessed, until each has
//! drawn a stop token or used up its budget.
//!
//! [`Decoder::decode`] runs a set of turns to their end. Underneath are [`Decoder::begin`] and [`Decoder::step`], with
//! which a caller can let new turns join while others are still being decoded. A turn that ends leaves the batch at
//! once.
//!
//! The draw for token t of a turn is `key.uniform(t)`: it depends on the turn's key alone. The logits of a slot depend
//! on its own tokens alone, up to the rounding of the matrix kernels, which may sum in another order for another number
//! of rows.

use std::sync::Mutex;

use tch::Tensor;

use super::decoder::{Decoder, SlotId};
use super::lookup::{self, Lookup};
use super::pass;
use super::rng::RngKey;
use super::sampler::{Draw, Sampler};
use crate::config::Sampling;
use crate::error::{Error, Result};
use crate::exact::Factors;
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
    lookup: Lookup,
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
        let lookup = Lookup::new(self.tokens(turn.slot)?);
        let id = TurnId(self.turns_begun);
        self.turns_begun += 1;
        self.active.push(Active {
            id,
            slot: turn.slot,
            max_new_tokens: turn.max_new_tokens,
            stop: turn.stop.to_vec(),
            key: turn.key,
            drawn: Drawn::default(),
            lookup,
        });
        Ok(id)
    }

    /// Turns that are being decoded.
    pub fn decoding(&self) -> usize {
        self.active.len()
    }

    /// Draws a token, or several, for every turn that is being decoded and returns those that ended with it, in the order in
    /// which they began. A turn with a budget of 0 ends without a token.
    ///
    /// # Errors
    /// When a sampling setting is out of range, the model fails or its logits are not finite.
    pub fn step(&mut self, sampling: &Sampling) -> Result<Vec<(TurnId, Drawn)>> {
        sampling.check()?;
        let mut ended = self.take_ended();
        if !self.active.is_empty() {
            let guesses = self.guess()?;
            let mut batch = Vec::with_capacity(guesses.len());
            for (turn, guess) in self.active.iter().zip(&guesses) {
                batch.push((turn.slot, 1 + guess.len()));
            }
            for (&(slot, _), guess) in batch.iter().zip(&guesses) {
                self.append(slot, guess)?;
            }
            let hidden = self.forward(&batch)?;
            self.passes += 1;
            let logits = Numbers::of(&self.model.read_logits(&hidden)?)?;
            let mut draws = self.draw(&logits, &hidden, &batch, sampling)?.into_iter();
            for (index, guess) in guesses.iter().enumerate() {
                let draws: Vec<Draw> = draws.by_ref().take(1 + guess.len()).collect();
                self.take(index, guess, &draws)?;
            }
            ended.extend(self.take_ended());
        }
        Ok(ended)
    }

    /// What each active turn may say behind its pending token. Only as many rows as do not change each other's numbers: so
    /// guessing changes the time that a text takes and nothing else.
    fn guess(&self) -> Result<Vec<Vec<u32>>> {
        let lookups: Vec<&Lookup> = self.active.iter().map(|turn| &turn.lookup).collect();
        let left = |turn: &Active| turn.max_new_tokens - turn.drawn.tokens.len();
        let limits: Vec<usize> = self.active.iter().map(|turn| (left(turn) - 1).min(pass::FEW - 1)).collect();
        let counts = lookup::share(&lookups, &limits, if self.guessing { self.model.independent_rows() } else { 0 });
        let guess = |(turn, n): (&Active, usize)| Ok(turn.lookup.guess(self.tokens(turn.slot)?, n));
        self.active.iter().zip(counts).map(guess).collect()
    }

    /// Takes what was drawn behind the pending token of an active turn and behind each token of `guess`, up to the first
    /// that was guessed wrong.
    fn take(&mut self, index: usize, guess: &[u32], draws: &[Draw]) -> Result<()> {
        let turn = &mut self.active[index];
        let mut taken = Vec::with_capacity(draws.len());
        for (i, draw) in draws.iter().enumerate() {
            taken.push(draw.token);
            turn.drawn.tokens.push(draw.token);
            turn.drawn.log_probs.push(draw.log_prob);
            turn.drawn.stopped = turn.stop.contains(&draw.token);
            if let (false, Some(stop)) = (turn.drawn.stopped, &self.stop_text) {
                turn.drawn.stopped_by_text = stop.ends(&turn.drawn.tokens)?;
            }
            if turn.drawn.complete() || guess.get(i) != Some(&draw.token) {
                break;
            }
        }
        let slot = turn.slot;
        self.take_back(slot, guess.len(), guess.len() + 1 - taken.len())?;
        self.append(slot, &taken)?;
        let mut lookup = self.active[index].lookup;
        lookup.follow(self.tokens(slot)?, taken.len());
        self.active[index].lookup = lookup;
        Ok(())
    }

    /// One draw from each row of `logits`, of which every active turn has as many as `batch` says; the rows are shared out
    /// to the threads.
    fn draw(
        &self,
        logits: &[f32],
        hidden: &Tensor,
        batch: &[(SlotId, usize)],
        sampling: &Sampling,
    ) -> Result<Vec<Draw>> {
        let total: usize = batch.iter().map(|(_, n)| n).sum();
        let vocabulary = (logits.len() / total.max(1)).max(1);
        let own = self.active.iter().zip(batch).flat_map(|(turn, &(_, n))| {
            let drawn = turn.drawn.tokens.len() as u64;
            (0..n as u64).map(move |i| (turn.key, drawn + i))
        });
        let factors = Factors::of(hidden, &self.model.head())?;
        let operands = factors.as_ref().map(Factors::operands);
        let rows: Vec<_> = own.zip(logits.chunks_exact(vocabulary)).enumerate().collect();
        let threads =
            if logits.len() < PARALLEL_FROM { 1 } else { usize::try_from(tch::get_num_threads()).unwrap_or(1) };
        let share = rows.len().div_ceil(threads.max(1)).max(1);
        let draws: Vec<Mutex<Result<Vec<Draw>>>> = rows.chunks(share).map(|_| Mutex::new(Ok(Vec::new()))).collect();
        let work = |part: usize| {
            let drawn = Sampler::new(sampling).and_then(|mut sampler| {
                let rows = rows.iter().skip(part * share).take(share);
                rows.map(|(row, ((key, token), logits))| {
                    let u = if sampling.is_greedy() { 0.0 } else { key.uniform(*token) };
                    sampler.draw_exactly(logits, u, operands.map(|operands| operands.row(*row)))
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

//! Batched decoding on shared prefixes: one engine for rollouts, evaluation and simulation.
//!
//! A [`Decoder`] holds many sequences of one model. They are fed (prompts, feedback), forked (a group of rollouts
//! shares its prefix) and decoded together, a token or a few each a step; every token passes through the model once. How
//! tokens are drawn is a [`Sampling`](crate::config::Sampling); the random numbers are named by [`RngKey`]s. Each drawn token comes with the
//! log-prob that a forward pass of training recomputes.
//!
//! | file | what |
//! |---|---|
//! | `decoder` | slots: open, fork, close, feed |
//! | `turn` | decoding of turns: begin, step, decode |
//! | `stop` | texts that end a turn |
//! | `lookup` | guesses at what comes next |
//! | `sampler`, `rng` | one token from a row of logits |
//! | `cache`, `device` | keys and values, and who shares them |
//! | `pass` | attention over the cache |

mod cache;
mod decoder;
mod device;
mod lookup;
mod pass;
mod rng;
mod sampler;
mod stop;
mod turn;

#[cfg(test)]
mod tests;

pub use decoder::{Decoder, SlotId};
pub use rng::RngKey;
pub use sampler::{Draw, Sampler};
pub use turn::{Drawn, Turn, TurnId};

//! From accumulated gradients to a step: [`AdamW`] with clipping by global norm, and learning-rate [`schedule`]s.
//!
//! Accumulation needs nothing here: the objectives divide by one count of the whole step, so the gradients of its
//! passes are simply added up in the parameters before [`AdamW::step`].

mod adamw;
mod kernel;
mod schedule;

#[cfg(test)]
mod tests;

pub use adamw::{AdamW, StepInfo};
pub use schedule::schedule;

//! Novice trains open-weight language models to program the way a learner does.
//!
//! The modules are listed in the order in which data walks through them; each one imports only from those above it:
//! a log becomes [`traces`], then a [`dialogue`], then [`tokens`] in a tree; a [`model`] reads whole forests of such
//! trees in one pass ([`forest`]), an [`objective`] turns log-probs into a loss, an [`optimiser`] into a step.
//! [`generate`] and [`rollout`] grow the trees with the model's own submissions, graded in the sandbox.

pub mod error;
pub mod files;
pub mod memory;
pub(crate) mod lanes;
pub(crate) mod numbers;
pub(crate) mod exact;
pub(crate) mod parallel;
pub(crate) mod attend;
pub(crate) mod random;

pub mod config;
pub mod traces;
pub mod dialogue;
pub mod tokens;
pub mod model;
pub mod forest;
pub mod objective;
pub mod optimiser;
pub mod generate;
pub mod rollout;
pub mod workshop;
pub mod checkpoint;
pub mod monitor;
pub mod remote;
pub mod evaluate;
pub mod report;
pub mod stage;
pub mod ablate;
pub mod commands;

#[cfg(test)]
pub(crate) mod testing;

pub use error::{Error, Result};

//! The typed configuration of a run: every field documented, unknown fields refused, all problems reported at once.

mod data;
mod dialogue;

pub use data::{DataSettings, FilterSettings, Mismatch, Source, SplitBy, SplitSettings, SyntheticSettings};
pub use dialogue::{DialogueSettings, Feedback, Template, TokenizerSettings};

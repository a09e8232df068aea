//! What two programs, two grades, two trajectories have in common: pure functions, no tensors, no input or output.
//!
//! | room | question it answers |
//! |---|---|
//! | [`python`] | does this text parse; are these two programs the same program |
//! | [`similarity`] | how much of one program is left in another |
//! | [`mod@codebleu`] | the field's own program similarity, deterministic; as published and repaired |
//! | [`step`] | how close is one simulated submission to the student's own next one |
//! | [`edit`] | of what kind is an edit, and where in the program |
//! | [`turns`] | turn by turn: kinds and places of edits, programs, length; the gate against copying |
//! | [`curve`] | how close are two whole courses of grades or outcomes |
//! | [`ending`] | how and when did a learner end |
//! | [`trajectory`] | how closely does a whole rollout track the student |
//! | [`group`] | do several rollouts from one start vary as students do |
//! | [`registry`] | the rewards there are: names, ranges, formulas, sources |
//! | [`mod@compose`] | rewards by name, weighted, with their breakdown |
//! | [`metrics`] | coverage, grade proximity and their joint forms, for evaluation tables |
//!
//! The plain data all of them take is in [`view`]. Grades are floats in 0..=100 and are never rounded here, except
//! where a published formula rounds them and says so.

pub mod codebleu;
pub mod compose;
pub mod curve;
pub mod edit;
pub mod ending;
pub mod group;
pub mod metrics;
pub mod python;
pub mod registry;
pub mod similarity;
pub mod step;
mod track;
pub mod trajectory;
pub mod turns;
pub mod view;

pub use compose::{RewardBreakdown, RewardInput, compose, compose_group};
pub use registry::RewardName;
pub use view::{Start, StepView};

/// What can go wrong when rewards are put together. The rewards themselves are total functions.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RewardError {
    /// No reward was named.
    #[error("the list of rewards is empty: name at least one, such as `trajectory: 1.0`")]
    NoRewards,
    /// A weight is not a finite number.
    #[error("reward `{name}` has weight {weight}: expected a finite number")]
    BadWeight {
        /// The reward's configuration name.
        name: String,
        /// The weight as given.
        weight: f64,
    },
    /// A reward was named twice.
    #[error("reward `{name}` is named twice: give each reward one weight")]
    Repeated {
        /// The reward's configuration name.
        name: String,
    },
}

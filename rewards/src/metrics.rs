//! Evaluation metrics as formulas on plain records: the published ones and their joint forms.
//!
//! * [`published`]: coverage, grade proximity and degradation as the published tables compute them, rounding included.
//! * [`joint`]: the same closeness without survivor conditioning, and shares of parsing and copied programs.
//! * [`diversity`]: self-BLEU, distinct programs, memorised programs.
//! * [`solving`]: whether a policy solves at the next step as often as students do, and where they do.
//! * [`tally`]: what is counted of one rollout beside its student; tallies add up.
//! * [`statistics`]: every number of an evaluation's tables, as a function of a tally.
//! * [`interval`]: intervals and tests by resampling students.

pub mod diversity;
pub mod interval;
pub mod joint;
pub mod published;
pub mod solving;
pub mod statistics;
pub mod tally;

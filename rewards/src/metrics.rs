//! Evaluation metrics as formulas on plain records: the published ones and their joint forms.
//!
//! * [`published`]: coverage, grade proximity and degradation as the published tables compute them, rounding included.
//! * [`joint`]: the same closeness without survivor conditioning, and shares of parsing and copied programs.
//! * [`diversity`]: self-BLEU, distinct programs, memorised programs.

pub mod diversity;
pub mod joint;
pub mod published;

//! Likeness of the moment at which two learners solve the problem or stop.

use crate::track::Track;

/// In 0..=1. Both solve: `1 - |Δturn| / (H - 1)`, with `H` the longer number of turns. Neither solves: `1 - |Δ turns| / H`.
/// Only one solves: 0, for never is not late.
pub(super) fn likeness(ours: &Track, theirs: &Track) -> f64 {
    let longest = ours.turns().max(theirs.turns());
    match (ours.solved, theirs.solved) {
        (Some(a), Some(b)) if a == b => 1.0,
        (Some(a), Some(b)) => 1.0 - a.abs_diff(b) as f64 / (longest - 1) as f64,
        (None, None) if longest == 0 => 1.0,
        (None, None) => 1.0 - ours.turns().abs_diff(theirs.turns()) as f64 / longest as f64,
        _ => 0.0,
    }
}

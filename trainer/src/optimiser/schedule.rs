//! Learning rate as a function of the step: a linear warm-up, then constant, a straight line to 0, or half a cosine to
//! 0.
//!
//! With T steps in all, W = ⌈warmup_ratio · T⌉ and s = 0 … T − 1 the step that is about to be made:
//!
//! ```text
//! s < W:     peak · s / W                          (the first step of a warm-up has rate 0)
//! constant:  peak
//! linear:    peak · (T − s) / (T − W)
//! cosine:    peak · ½ (1 + cos(π (s − W) / (T − W)))
//! ```
//!
//! These are the schedules of Hugging Face `transformers`, step for step, so that curves can be laid over each other.

use crate::config::Schedule;

/// The learning rate of step `step` (from 0) of `total_steps`. `warmup_ratio` is a share of the steps, 0 to 1; `peak`
/// the rate that the warm-up reaches. Steps past the end keep the rate of the end (0, or the peak of
/// [`Schedule::Constant`]).
pub fn schedule(kind: Schedule, warmup_ratio: f64, step: usize, total_steps: usize, peak: f64) -> f64 {
    let total = total_steps as f64;
    let (warmup, step) = ((warmup_ratio.clamp(0.0, 1.0) * total).ceil(), step as f64);
    if step < warmup {
        return peak * step / warmup;
    }
    let done = if total > warmup { ((step - warmup) / (total - warmup)).min(1.0) } else { 1.0 };
    match kind {
        Schedule::Constant => peak,
        Schedule::Linear => peak * (1.0 - done),
        Schedule::Cosine => peak * 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(kind: Schedule, warmup_ratio: f64, total: usize) -> Vec<f64> {
        (0..=total).map(|s| schedule(kind, warmup_ratio, s, total, 1.0)).collect()
    }

    fn close(a: &[f64], b: &[f64]) {
        assert!(a.len() == b.len() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-12), "{a:?} is not {b:?}");
    }

    #[test]
    fn hand_computed() {
        close(&rates(Schedule::Constant, 0.5, 4), &[0.0, 0.5, 1.0, 1.0, 1.0]);
        close(&rates(Schedule::Linear, 0.2, 5), &[0.0, 1.0, 0.75, 0.5, 0.25, 0.0]);
        let half = 0.5f64.sqrt();
        close(&rates(Schedule::Cosine, 0.0, 4), &[1.0, 0.5 + half / 2.0, 0.5, 0.5 - half / 2.0, 0.0]);
    }

    #[test]
    fn warm_up_rounds_up() {
        // ⌈0.1 · 11⌉ = 2 steps.
        close(&rates(Schedule::Constant, 0.1, 11)[..4], &[0.0, 0.5, 1.0, 1.0]);
    }

    #[test]
    fn the_edges_stay_finite() {
        for kind in [Schedule::Constant, Schedule::Linear, Schedule::Cosine] {
            for (ratio, step, total) in [(0.0, 0, 0), (1.0, 5, 5), (1.0, 9, 5), (0.3, 99, 10), (0.0, 0, 1)] {
                assert!((0.0..=1.0).contains(&schedule(kind, ratio, step, total, 1.0)));
            }
        }
        assert_eq!(schedule(Schedule::Cosine, 0.0, 0, 1, 3e-4), 3e-4);
    }
}

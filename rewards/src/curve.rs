//! Whole curves: the area between two grade curves, and time-warped distances that forgive a turn too early or too late.
//!
//! * [`area`]: grades as lines over turns 0 (the start) to `H` (the longer path), the last grade held; `1 - ∫|f - g| / (100 H)`.
//! * [`grade_warping`], [`outcome_warping`]: `1 - D`, where `D` is the dynamic time warping distance of the two sequences of turns, each
//!   pair costing the difference of grades over 100, or the share of tests with unequal outcome. Steps on the diagonal weigh 2, so that `D` divided by the two
//!   lengths is in 0..=1; a pair may lie at most [`BAND`] turns (or the difference of the lengths, if larger) off the diagonal. Sakoe &
//!   Chiba 1978, "Dynamic programming algorithm optimization for spoken word recognition".
//!
//! All three are multiplied by the [`novelty`] gate: on a plateau a copied program has the right grade.

use crate::turns::novelty;
use crate::view::{RewardInput, StepView, clean_grade, grade_closeness, outcome};

/// Turns that a warping path may lie off the diagonal.
pub const BAND: usize = 1;

/// Closeness of the grade curves by area, in 0..=1.
pub fn area(input: &RewardInput) -> f64 {
    (1.0 - area_between(input)) * novelty(input)
}

/// The area between the grade curves over `100 H`, in 0..=1, copies or not.
fn area_between(input: &RewardInput) -> f64 {
    let student = input.student_in_window();
    let turns = input.rollout.len().max(student.len());
    if turns == 0 {
        return 0.0;
    }
    let start = input.start.map_or(0.0, |start| clean_grade(start.grade));
    let held = |steps: &[StepView], turn: usize| match turn.checked_sub(1) {
        Some(index) => steps.get(index).or(steps.last()).map_or(start, |step| clean_grade(step.grade)),
        None => start,
    };
    let gap = |turn| held(input.rollout, turn) - held(student, turn);
    let between = (0..turns).map(|turn| integral(gap(turn), gap(turn + 1)));
    between.sum::<f64>() / (100.0 * turns as f64)
}

/// `∫|a + (b - a) t| dt` over 0..1.
fn integral(a: f64, b: f64) -> f64 {
    if a * b >= 0.0 { (a.abs() + b.abs()) / 2.0 } else { (a * a + b * b) / (2.0 * (a - b).abs()) }
}

/// Closeness of the grades by time warping, in 0..=1.
pub fn grade_warping(input: &RewardInput) -> f64 {
    warping(input, |a, b| 1.0 - grade_closeness(a.grade, b.grade))
}

/// Closeness of the test outcomes by time warping, in 0..=1; without tests, of the grades.
pub fn outcome_warping(input: &RewardInput) -> f64 {
    warping(input, |a, b| {
        let tests = a.passed.len().max(b.passed.len());
        if tests == 0 {
            return 1.0 - grade_closeness(a.grade, b.grade);
        }
        let unequal = (0..tests).filter(|test| outcome(a.passed, *test) != outcome(b.passed, *test)).count();
        unequal as f64 / tests as f64
    })
}

fn warping(input: &RewardInput, cost: impl Fn(&StepView, &StepView) -> f64) -> f64 {
    let (ours, theirs) = (input.rollout, input.student_in_window());
    match (ours.is_empty(), theirs.is_empty()) {
        (true, true) => 1.0,
        (false, false) => (1.0 - distance(ours, theirs, cost)) * novelty(input),
        _ => 0.0,
    }
}

/// The normalised warping distance of two sequences that are not empty, in 0..=1.
fn distance<T>(a: &[T], b: &[T], cost: impl Fn(&T, &T) -> f64) -> f64 {
    let band = BAND.max(a.len().abs_diff(b.len()));
    let mut row = vec![f64::INFINITY; b.len()];
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![f64::INFINITY; b.len()];
        for (j, y) in b.iter().enumerate().filter(|(j, _)| i.abs_diff(*j) <= band) {
            let cost = cost(x, y);
            let at = |row: &[f64], j: Option<usize>| j.and_then(|j| row.get(j)).copied().unwrap_or(f64::INFINITY);
            let best = if i == 0 && j == 0 {
                2.0 * cost
            } else {
                let diagonal = at(&row, j.checked_sub(1)) + 2.0 * cost;
                diagonal.min(at(&row, Some(j)) + cost).min(at(&next, j.checked_sub(1)) + cost)
            };
            if let Some(cell) = next.get_mut(j) {
                *cell = best;
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or(0.0) / (a.len() + b.len()) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integrals_by_hand() {
        assert_eq!(integral(0.0, 10.0), 5.0);
        assert_eq!(integral(-4.0, -2.0), 3.0);
        // Crosses in the middle: two triangles of 1/2 · 1/2 · 10.
        assert_eq!(integral(10.0, -10.0), 5.0);
    }

    #[test]
    fn warping_by_hand() {
        let gap = |a: &f64, b: &f64| (a - b).abs();
        assert_eq!(distance(&[0.0, 0.0, 1.0], &[0.0, 1.0, 1.0], gap), 0.0);
        assert_eq!(distance(&[0.0], &[1.0], gap), 1.0);
        assert_eq!(distance(&[0.0, 0.0], &[1.0, 1.0], gap), 1.0);
        // Three turns late: the band of one turn does not reach.
        assert!(distance(&[0.0, 0.0, 0.0, 0.0, 1.0], &[0.0, 1.0, 1.0, 1.0, 1.0], gap) > 0.0);
    }

    proptest! {
        #[test]
        fn warping_is_a_bounded_symmetric_distance(
            a in proptest::collection::vec(0.0..1.0_f64, 1..6), b in proptest::collection::vec(0.0..1.0_f64, 1..6),
        ) {
            let gap = |a: &f64, b: &f64| (a - b).abs();
            let there = distance(&a, &b, gap);
            prop_assert!((0.0..=1.0).contains(&there));
            prop_assert!((there - distance(&b, &a, gap)).abs() < 1e-12);
            prop_assert_eq!(distance(&a, &a, gap), 0.0);
            if a.len() == b.len() {
                let straight = a.iter().zip(&b).map(|(x, y)| (x - y).abs()).sum::<f64>() / a.len() as f64;
                prop_assert!(there <= straight + 1e-12);
            }
        }
    }
}

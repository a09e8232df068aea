//! Solving at the next step: does a policy solve with its next submission as often as real students do, and where they do?
//!
//! From each start the student solved with the next submission or not (`y`, 0 or 1), and so did each rollout (`s`). With `n` rollouts in all and
//! `n_c` in context `c`:
//!
//! * [`gap`]: `mean(s) - mean(y)`, in -1..=1; 0 is right on the whole.
//! * [`calibration`]: `Σ_c n_c/n · |mean_c(s) - mean_c(y)|`, in 0..=1 and never less than `|gap|`; 0 is right in every context. The expected
//!   calibration error (Naeini et al. 2015), with contexts in place of bins of predicted probability.
//! * [`discrimination`]: `mean(s | y = 1) - mean(s | y = 0)`, in -1..=1; 0 for a policy that solves regardless of the student, 1 for the
//!   student's own moments. The discrimination slope (Yates 1982; Tjur 2009).
//!
//! A context is the [`context`] of the grade that the student had before: all that both have in common and every course has.
//! A policy says no probability, it solves or does not. [`gap`] and [`discrimination`] are linear in `s`, so in expectation they are those of the policy's
//! probability, whether a start is rolled out once or many times. [`calibration`] is too large by what chance leaves between two shares:
//! compare it with that of real students beside one another, at as many rollouts. A Brier score is not here: of one rollout a start
//! `(s - y)²` is least for a policy that is always sure.

use super::tally::Tally;

/// How many contexts there are.
pub(super) const CONTEXTS: usize = 5;

/// The context of a grade of 0..=100: 0; up to a quarter, a half, three quarters; more.
pub fn context(grade: f64) -> usize {
    let upper = [0.0, 25.0, 50.0, 75.0];
    upper.iter().position(|upper| grade <= *upper).unwrap_or(CONTEXTS - 1)
}

/// Starts, and those where the model, the student, both solved, by context.
fn contexts(t: &Tally) -> impl Iterator<Item = [f64; 4]> {
    (0..CONTEXTS).filter_map(|context| <[f64; 4]>::try_from(t.solving(context)).ok())
}

fn all(t: &Tally) -> [f64; 4] {
    contexts(t).fold([0.0; 4], |sum, one| std::array::from_fn(|at| sum[at] + one[at]))
}

/// The share that the model solves less that of the students, in -1..=1; `None` without a start.
pub fn gap(t: &Tally) -> Option<f64> {
    let [starts, model, student, _] = all(t);
    (starts > 0.0).then(|| (model - student) / starts)
}

/// The gap between both shares in each context, its size averaged over starts, in 0..=1; `None` without a start.
pub fn calibration(t: &Tally) -> Option<f64> {
    let [starts, ..] = all(t);
    let gaps: f64 = contexts(t).map(|[_, model, student, _]| (model - student).abs()).sum();
    (starts > 0.0).then(|| gaps / starts)
}

/// The share that the model solves where the student does, less that where the student does not, in -1..=1; `None` unless there are
/// starts of both sorts.
pub fn discrimination(t: &Tally) -> Option<f64> {
    let [starts, model, student, both] = all(t);
    let other = starts - student;
    (student > 0.0 && other > 0.0).then(|| both / student - (model - both) / other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::diversity::Memory;
    use crate::view::{RewardInput, Start, StepView};
    use proptest::prelude::*;

    /// Starts as (grade before, whether the model solved next, whether the student did).
    fn tally(starts: &[(f64, bool, bool)]) -> Tally {
        let mut tally = Tally::new(2);
        for (before, model, student) in starts {
            let step = |solved: bool| StepView::ran("x = 1", if solved { 100.0 } else { 99.0 });
            let start = Some(Start { program: "x = 0", grade: *before, passed: &[] });
            let (rollout, student) = ([step(*model)], [step(*student)]);
            let input = RewardInput { start, rollout: &rollout, student: &student, max_turns: 2, max_new_tokens: 0 };
            tally.observe(&input, &Memory::default(), &[]);
        }
        tally
    }

    fn near(found: Option<f64>, expected: f64) {
        assert!(found.is_some_and(|found| (found - expected).abs() < 1e-12), "{found:?}, expected {expected}");
    }

    #[test]
    fn contexts_of_grades() {
        let of = [0.0, 0.1, 25.0, 25.1, 50.0, 66.7, 75.0, 75.1, 99.9, 100.0].map(context);
        assert_eq!(of, [0, 1, 1, 2, 2, 3, 3, 4, 4, 4]);
    }

    #[test]
    fn solving_by_hand() {
        // At grade 0 the model solves 2 of 3 and the student 0 of 3; at 80 the model 0 of 2 and the student 2 of 2.
        let starts =
            [(0.0, true, false), (0.0, true, false), (0.0, false, false), (80.0, false, true), (80.0, false, true)];
        let t = tally(&starts);
        // As often on the whole, in the wrong places: 3/5 · 2/3 + 2/5 · 1, and 0/2 - 2/3.
        near(gap(&t), 0.0);
        near(calibration(&t), 0.8);
        near(discrimination(&t), -2.0 / 3.0);
        // Right in each context but never at the student's moment: 0/2 - 2/2, and calibrated.
        let swapped = [(40.0, true, false), (40.0, false, true), (90.0, true, false), (90.0, false, true)];
        let t = tally(&swapped);
        near(gap(&t), 0.0);
        near(calibration(&t), 0.0);
        near(discrimination(&t), -1.0);
        // Solves at once everywhere, beside students who do so at a quarter of the starts.
        let t = tally(&[(0.0, true, false), (0.0, true, false), (60.0, true, false), (60.0, true, true)]);
        near(gap(&t), 0.75);
        near(calibration(&t), 0.75);
        near(discrimination(&t), 0.0);
    }

    #[test]
    fn what_cannot_be_said_is_not() {
        let t = tally(&[(0.0, true, false)]);
        assert_eq!((gap(&t), discrimination(&t)), (Some(1.0), None));
        assert_eq!((gap(&Tally::new(1)), calibration(&Tally::new(1))), (None, None));
        // No submission at all is no solution; nor does a start count after which the student made none.
        let real = [StepView::ran("x", 100.0)];
        let mut t = Tally::new(1);
        let input = RewardInput { start: None, rollout: &[], student: &real, max_turns: 1, max_new_tokens: 0 };
        t.observe(&input, &Memory::default(), &[]);
        t.observe(&RewardInput { rollout: &real, student: &[], ..input }, &Memory::default(), &[]);
        assert_eq!(gap(&t), Some(-1.0));
    }

    proptest! {
        #[test]
        fn ranges_order_and_repetition(starts in proptest::collection::vec((0.0..100.0_f64, any::<bool>(), any::<bool>()), 1..12)) {
            let once = tally(&starts);
            let (g, c) = (gap(&once).unwrap(), calibration(&once).unwrap());
            prop_assert!(g.abs() <= c + 1e-12 && c <= 1.0 + 1e-12);
            prop_assert!(discrimination(&once).is_none_or(|d| d.abs() <= 1.0));
            // The same rollouts twice, in another order: as several samples a start, or seeds that are pooled.
            let twice: Vec<_> = starts.iter().rev().chain(&starts).copied().collect();
            let twice = tally(&twice);
            for of in [gap, calibration, discrimination] {
                let near = match (of(&once), of(&twice)) {
                    (Some(a), Some(b)) => (a - b).abs() < 1e-12,
                    (a, b) => a == b,
                };
                prop_assert!(near);
            }
            // The student's own moments are perfect.
            let own = tally(&starts.iter().map(|(grade, _, student)| (*grade, *student, *student)).collect::<Vec<_>>());
            prop_assert_eq!((gap(&own), calibration(&own)), (Some(0.0), Some(0.0)));
            prop_assert!(discrimination(&own).is_none_or(|d| (d - 1.0).abs() < 1e-12));
        }
    }
}

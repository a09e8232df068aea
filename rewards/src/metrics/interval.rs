//! Intervals and tests that take students, not rollouts, as what was sampled.
//!
//! Rollouts of one student resemble one another, so they are resampled together: each of `resamples` times as many students as there are are
//! drawn with replacement, their tallies added, the statistic computed ([`bootstrap`]). The interval is that of the percentiles. Two policies
//! are compared on the same draws ([`compare`]): the two-sided p-value is twice the smaller share of resampled differences on either side of 0, with one
//! added above and below so that it is never 0. Few students spread less in a bootstrap than their number allows: with n of them
//! the exact test by all changes of sign gets no lower than 2^(1 − n), and so neither does this one. [`holm`] corrects for the
//! number of comparisons (Holm 1979). Source of the method: Davison & Hinkley 1997, 2.4 and 3.8.
//!
//! Random numbers come from ChaCha8 and the seed: equal inputs give equal intervals.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::statistics::Statistic;
use super::tally::Tally;

/// A value and where it lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The statistic of all students.
    pub value: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The difference of two policies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// First minus second, and its interval.
    pub interval: Interval,
    /// Two-sided p-value of no difference, uncorrected.
    pub p: f64,
}

/// How much is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// Draws.
    pub resamples: usize,
    /// Share of draws inside the interval, such as 0.95.
    pub confidence: f64,
    /// Of the random numbers.
    pub seed: u64,
}

/// Values of every statistic at every draw: `draws[statistic][draw]`, not a number where nothing was counted.
struct Draws {
    whole: Vec<f64>,
    draws: Vec<Vec<f64>>,
}

impl Bootstrap {
    /// How often each of `students` is drawn, draw by draw; the same for every policy that has the same students.
    fn weights(&self, students: usize) -> impl Iterator<Item = Vec<u32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        (0..self.resamples).map(move |_| {
            let mut weights = vec![0_u32; students];
            for _ in 0..students {
                // The high bits of a product with a 32-bit number are as good as even for so few students.
                let pick = (u64::from(rng.next_u32()) * students as u64) >> 32;
                if let Some(weight) = weights.get_mut(pick as usize) {
                    *weight += 1;
                }
            }
            weights
        })
    }

    fn draw(&self, students: &[Tally], statistics: &[Statistic]) -> Draws {
        let mut sum = Tally::new(students.first().map_or(0, Tally::turns));
        let evaluate = |sum: &Tally| -> Vec<f64> {
            statistics.iter().map(|statistic| (statistic.of)(sum).unwrap_or(f64::NAN)).collect()
        };
        students.iter().for_each(|tally| sum.add(tally, 1.0));
        let whole = evaluate(&sum);
        let mut draws = vec![Vec::with_capacity(self.resamples); statistics.len()];
        for weights in self.weights(students.len()) {
            sum.clear();
            for (tally, weight) in students.iter().zip(weights).filter(|(_, weight)| *weight > 0) {
                sum.add(tally, f64::from(weight));
            }
            for (values, value) in draws.iter_mut().zip(evaluate(&sum)) {
                values.push(value);
            }
        }
        Draws { whole, draws }
    }

    fn interval(&self, value: f64, draws: &[f64]) -> Option<Interval> {
        let mut draws: Vec<f64> = draws.iter().copied().filter(|draw| !draw.is_nan()).collect();
        draws.sort_by(f64::total_cmp);
        let tail = (1.0 - self.confidence) / 2.0;
        let at = |share: f64| {
            let place = share * draws.len().saturating_sub(1) as f64;
            let (below, above) = (draws.get(place.floor() as usize)?, draws.get(place.ceil() as usize)?);
            Some(below + (above - below) * place.fract())
        };
        (!value.is_nan()).then_some(())?;
        Some(Interval { value, low: at(tail).unwrap_or(value), high: at(1.0 - tail).unwrap_or(value) })
    }
}

/// The interval of every statistic over `students`, one tally each; `None` where nothing was counted.
pub fn bootstrap(students: &[Tally], statistics: &[Statistic], options: Bootstrap) -> Vec<Option<Interval>> {
    let Draws { whole, draws } = options.draw(students, statistics);
    whole.iter().zip(&draws).map(|(value, draws)| options.interval(*value, draws)).collect()
}

/// The difference `ours - theirs` of every statistic. Both hold the same students in the same order.
pub fn compare(
    ours: &[Tally],
    theirs: &[Tally],
    statistics: &[Statistic],
    options: Bootstrap,
) -> Vec<Option<Difference>> {
    let least = 0.5_f64.powf(ours.len() as f64 - 1.0);
    let (ours, theirs) = (options.draw(ours, statistics), options.draw(theirs, statistics));
    let both = ours.draws.iter().zip(&theirs.draws).zip(ours.whole.iter().zip(&theirs.whole));
    both.map(|((a, b), (x, y))| {
        let draws: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        let interval = options.interval(x - y, &draws)?;
        let known = draws.iter().filter(|draw| !draw.is_nan()).count() as f64;
        let side = |on: fn(f64) -> bool| draws.iter().filter(|draw| on(**draw)).count() as f64;
        let smaller = side(|draw| draw <= 0.0).min(side(|draw| draw >= 0.0));
        Some(Difference { interval, p: (2.0 * (smaller + 1.0) / (known + 1.0)).max(least).min(1.0) })
    })
    .collect()
}

/// p-values corrected for their number by Holm's step-down method, in the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    let value = |index: &usize| p.get(*index).copied().unwrap_or(1.0);
    order.sort_by(|a, b| value(a).total_cmp(&value(b)));
    let mut corrected = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, index) in order.iter().enumerate() {
        largest = largest.max((value(index) * (p.len() - rank) as f64).min(1.0));
        if let Some(place) = corrected.get_mut(*index) {
            *place = largest;
        }
    }
    corrected
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::diversity::Memory;
    use crate::metrics::statistics::STATISTICS;
    use crate::view::{RewardInput, Start, StepView};
    use proptest::prelude::*;

    const OPTIONS: Bootstrap = Bootstrap { resamples: 2000, confidence: 0.95, seed: 7 };

    /// One student whose model's only grade is `grade`, beside a real one of 100.
    fn student(grade: f64) -> Tally {
        let step = |grade: f64| StepView::ran("x = 1", grade);
        let (rollout, student) = ([step(grade)], [step(100.0)]);
        let mut tally = Tally::new(1);
        let start = Some(Start { program: "x = 0", grade: 0.0, passed: &[] });
        let input = RewardInput { start, rollout: &rollout, student: &student, max_turns: 1, max_new_tokens: 0 };
        tally.observe(&input, &Memory::default(), &[]);
        tally
    }

    fn joint() -> [Statistic; 1] {
        [STATISTICS[0]]
    }

    #[test]
    fn a_mean_has_the_interval_of_its_standard_error() {
        // Half the students at 0, half at 100: mean 1/2, standard error 1/2 / sqrt(100), 1.96 of them each way.
        let students: Vec<Tally> = (0..100).map(|i| student(if i % 2 == 0 { 0.0 } else { 100.0 })).collect();
        let found = bootstrap(&students, &joint(), OPTIONS)[0].unwrap();
        assert_eq!(found.value, 0.5);
        assert!((found.low - 0.402).abs() < 0.015 && (found.high - 0.598).abs() < 0.015, "{found:?}");
        assert_eq!(bootstrap(&students, &joint(), OPTIONS)[0], Some(found));
    }

    #[test]
    fn students_that_are_all_alike_leave_no_doubt() {
        let students = vec![student(40.0); 10];
        let found = bootstrap(&students, &joint(), OPTIONS)[0].unwrap();
        assert!((found.low - 0.4).abs() < 1e-12 && (found.high - 0.4).abs() < 1e-12);
        assert_eq!(bootstrap(&[Tally::new(1)], &joint(), OPTIONS), [None]);
    }

    #[test]
    fn a_small_but_steady_difference_is_found_by_pairs() {
        // Students differ widely, the second policy is always 10 worse.
        let grades: Vec<f64> = (0..30).map(|i| f64::from(i) * 3.0 + 10.0).collect();
        let better: Vec<Tally> = grades.iter().map(|grade| student(*grade)).collect();
        let worse: Vec<Tally> = grades.iter().map(|grade| student(grade - 10.0)).collect();
        let found = compare(&better, &worse, &joint(), OPTIONS)[0].unwrap();
        assert!((found.interval.value - 0.1).abs() < 1e-12 && found.p <= 2.0 / 2001.0, "{found:?}");
        let none = compare(&better, &better, &joint(), OPTIONS)[0].unwrap();
        assert_eq!((none.interval.value, none.p), (0.0, 1.0));
    }

    #[test]
    fn few_students_prove_nothing() {
        // Better for every student, whatever is drawn: what is left to doubt is how many there are.
        for (students, p) in [(1, 1.0), (2, 0.5), (5, 0.0625), (6, 0.03125)] {
            let (ours, theirs) = (vec![student(100.0); students], vec![student(0.0); students]);
            assert_eq!(compare(&ours, &theirs, &joint(), OPTIONS)[0].unwrap().p, p);
        }
    }

    #[test]
    fn holm_by_hand() {
        let near = |a: Vec<f64>, b: [f64; 4]| assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?}");
        near(holm(&[0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02]);
        assert!(holm(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn intervals_are_in_range_and_differences_change_sign(
            pairs in proptest::collection::vec((0.0..100.0_f64, 0.0..100.0_f64), 2..8), seed in any::<u64>(),
        ) {
            let options = Bootstrap { resamples: 100, confidence: 0.9, seed };
            let of = |grade: fn(&(f64, f64)) -> f64| pairs.iter().map(|pair| student(grade(pair))).collect::<Vec<Tally>>();
            let (ours, theirs) = (of(|pair| pair.0), of(|pair| pair.1));
            let found = bootstrap(&ours, &joint(), options)[0].unwrap();
            let least = pairs.iter().map(|pair| pair.0 / 100.0).fold(1.0, f64::min);
            let most = pairs.iter().map(|pair| pair.0 / 100.0).fold(0.0, f64::max);
            prop_assert!(least - 1e-9 <= found.low && found.low <= found.high && found.high <= most + 1e-9);
            let there = compare(&ours, &theirs, &joint(), options)[0].unwrap();
            let back = compare(&theirs, &ours, &joint(), options)[0].unwrap();
            prop_assert!((there.interval.value + back.interval.value).abs() < 1e-9);
            prop_assert!((there.interval.low + back.interval.high).abs() < 1e-9);
            prop_assert!(there.p == back.p && there.p > 0.0 && there.p <= 1.0);
        }

        #[test]
        fn corrected_values_are_no_smaller_and_keep_their_order(p in proptest::collection::vec(0.0..1.0_f64, 1..8)) {
            let corrected = holm(&p);
            for (i, a) in p.iter().enumerate() {
                prop_assert!(corrected[i] >= *a && corrected[i] <= 1.0);
                for (j, b) in p.iter().enumerate() {
                    prop_assert!(a >= b || corrected[i] <= corrected[j]);
                }
            }
        }
    }
}

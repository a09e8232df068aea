//! Which submissions are compared in preference training: the student's next one beside one that the student made later.
//!
//! Steps are counted from 0. The first submission is never chosen and never rejected. Anchors (the chosen steps) are visited
//! in random order, keyed by seed, student and problem. Chosen and rejected always differ in their normal form.
//!
//! | strategy | trajectory of n steps | anchors | rejected |
//! |---|---|---|---|
//! | `next` | n ≥ 4 | 1..=n−3 | anchor + 2 |
//! | `random` | n ≥ 3 | 1..=n−2 | uniform among steps ≥ anchor + 3 that were not rejected yet |
//! | `grade` | n ≥ 3 | 1..=n−2 | the first step > anchor with another grade that was not rejected yet |
//!
//! Source: the index rules of the conversational-serialisation system (arXiv 2604.10720) as released. Grades are the
//! sandbox's. Its two defects in DPO (the answer cut off, the wrong reference model) do not concern this choice.

use super::step::Trajectory;
use crate::config::PairStrategy;
use crate::random::{below, keyed, shuffle};
use novice_rewards::python::{NormalForm, normal_form};
use std::collections::BTreeSet;

/// Two submissions as answers to the same history: everything before step `chosen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pair {
    /// The step that came next.
    pub chosen: usize,
    /// The later step that is put in its place.
    pub rejected: usize,
}

/// The pairs of one trajectory, at most `max_pairs` (0: no limit), sorted by `chosen`.
pub fn pairs(trajectory: &Trajectory, strategy: PairStrategy, max_pairs: usize, seed: u64) -> Vec<Pair> {
    let steps = &trajectory.steps;
    let n = steps.len();
    let anchors = match strategy {
        PairStrategy::Next => 1..n.saturating_sub(2),
        PairStrategy::Random | PairStrategy::Grade => 1..n.saturating_sub(1),
    };
    let forms: Vec<NormalForm> = steps.iter().map(|s| normal_form(&s.code)).collect();
    let grades = trajectory.grades();
    let mut rng = keyed(seed, "pairs", &[&trajectory.student, &trajectory.problem]);
    let mut anchors: Vec<usize> = anchors.collect();
    shuffle(&mut rng, &mut anchors);
    let limit = if max_pairs == 0 { usize::MAX } else { max_pairs };
    let mut rejected = BTreeSet::new();
    let mut found = Vec::new();
    for chosen in anchors {
        if found.len() == limit {
            break;
        }
        let fits = |later: &usize| forms.get(chosen) != forms.get(*later);
        let unused = |later: &usize| !rejected.contains(later);
        let later = match strategy {
            PairStrategy::Next => Some(chosen + 2).filter(fits),
            PairStrategy::Random => {
                let candidates: Vec<usize> = (chosen + 3..n).filter(fits).filter(unused).collect();
                // The draw is made even for a single candidate: the sequence of draws does not depend on their number.
                candidates.get(below(&mut rng, candidates.len())).copied()
            }
            PairStrategy::Grade => {
                let differs = |later: &usize| match (grades.get(chosen), grades.get(*later)) {
                    (Some(a), Some(b)) => (a - b).abs() > 1e-9,
                    _ => false,
                };
                (chosen + 1..n).filter(differs).filter(unused).find(fits)
            }
        };
        if let Some(later) = later {
            rejected.insert(later);
            found.push(Pair { chosen, rejected: later });
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::{graded, trajectory};
    use proptest::prelude::*;

    fn all(t: &Trajectory, strategy: PairStrategy, seed: u64) -> Vec<(usize, usize)> {
        pairs(t, strategy, 0, seed).iter().map(|p| (p.chosen, p.rejected)).collect()
    }

    #[test]
    fn next_is_two_steps_on() {
        let seeds = [0, 1, 2];
        for seed in seeds {
            assert_eq!(all(&graded(&[0.0; 6]), PairStrategy::Next, seed), [(1, 3), (2, 4), (3, 5)]);
            assert_eq!(all(&graded(&[0.0; 4]), PairStrategy::Next, seed), [(1, 3)]);
            assert!(all(&graded(&[0.0; 3]), PairStrategy::Next, seed).is_empty());
        }
    }

    #[test]
    fn next_leaves_out_equal_programs() {
        let t = trajectory("s", "p", &[("a=0", 0.0), ("a=1", 0.0), ("a=2", 0.0), ("a = 1", 0.0), ("a=3", 0.0)]);
        assert_eq!(all(&t, PairStrategy::Next, 0), [(2, 4)]);
    }

    #[test]
    fn random_is_at_least_three_steps_on() {
        // Anchors 1 and 2 have candidates (4, 5) and (5); 3 and 4 have none.
        let t = graded(&[0.0; 6]);
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            let found = all(&t, PairStrategy::Random, seed);
            assert!(found == [(1, 4), (2, 5)] || found == [(1, 5)], "{found:?}");
            seen.insert(found);
        }
        assert_eq!(seen.len(), 2, "both outcomes occur");
        assert!(all(&graded(&[0.0; 4]), PairStrategy::Random, 0).is_empty());
    }

    #[test]
    fn grade_takes_the_first_other_grade_that_is_free() {
        assert_eq!(all(&graded(&[0.0, 0.0, 0.0, 100.0]), PairStrategy::Grade, 0).len(), 1, "3 is used once");
        // 1 may take 2; 2 may take 3; no two compete.
        assert_eq!(all(&graded(&[0.0, 0.0, 50.0, 100.0]), PairStrategy::Grade, 0), [(1, 2), (2, 3)]);
        // The anchors 1 and 2 want 3 first; whoever comes second takes 4.
        let mut seen = BTreeSet::new();
        for seed in 0..50 {
            seen.insert(all(&graded(&[9.0, 0.0, 0.0, 50.0, 100.0]), PairStrategy::Grade, seed));
        }
        let expected = [
            vec![(1, 3), (2, 4)], // 1, 2, then 3 finds 4 taken
            vec![(1, 4), (2, 3)], // 2, 1, then 3 finds 4 taken
            vec![(1, 3), (3, 4)], // 3 before the second of the two
            vec![(2, 3), (3, 4)],
        ];
        assert_eq!(seen, expected.into_iter().collect());
        assert!(all(&graded(&[0.0; 9]), PairStrategy::Grade, 0).is_empty());
        assert!(all(&graded(&[0.0, 100.0]), PairStrategy::Grade, 0).is_empty());
    }

    #[test]
    fn the_chosen_one_is_the_earlier_whatever_the_grades() {
        assert_eq!(all(&graded(&[0.0, 100.0, 20.0]), PairStrategy::Grade, 0), [(1, 2)]);
    }

    #[test]
    fn a_limit_keeps_the_first_that_were_found() {
        let t = graded(&[0.0, 10.0, 20.0, 30.0, 40.0, 50.0]);
        let every = pairs(&t, PairStrategy::Grade, 0, 5);
        let two = pairs(&t, PairStrategy::Grade, 2, 5);
        assert_eq!((every.len(), two.len()), (4, 2));
    }

    proptest! {
        #[test]
        fn rules_that_hold_for_all(
            grades in proptest::collection::vec(0..4u8, 0..12),
            codes in proptest::collection::vec(0..6u8, 12),
            seed in any::<u64>(), which in 0..3usize, max in 0..4usize,
        ) {
            let strategy = [PairStrategy::Next, PairStrategy::Random, PairStrategy::Grade][which];
            let codes: Vec<String> = codes.iter().map(|c| format!("x = {c}")).collect();
            let steps: Vec<(&str, f64)> = codes.iter().map(String::as_str).zip(grades.iter().map(|&g| f64::from(g))).collect();
            let t = trajectory("s", "p", &steps);
            let found = pairs(&t, strategy, max, seed);
            prop_assert_eq!(&found, &pairs(&t, strategy, max, seed));
            prop_assert!(max == 0 || found.len() <= max);
            let distinct = |f: fn(&Pair) -> usize| found.iter().map(f).collect::<BTreeSet<_>>().len() == found.len();
            prop_assert!(distinct(|p| p.chosen) && distinct(|p| p.rejected));
            for p in &found {
                let gap = match strategy { PairStrategy::Next => 2..=2, PairStrategy::Random => 3..=99, PairStrategy::Grade => 1..=99 };
                prop_assert!(p.chosen >= 1 && gap.contains(&(p.rejected - p.chosen)) && p.rejected < steps.len());
                prop_assert_ne!(&t.steps[p.chosen].code, &t.steps[p.rejected].code);
                prop_assert!(strategy != PairStrategy::Grade || grades[p.chosen] != grades[p.rejected]);
            }
        }
    }
}

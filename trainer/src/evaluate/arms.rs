//! Arms of an ablation: what was counted in each seed, pooled; intervals, and differences to a reference arm.
//!
//! Students are what was sampled; seeds are repeated measures of the same students. So the tallies of one student are added over
//! seeds, and the bootstrap draws students, each with all of its seeds. Two arms are compared over the seeds that both have. A student
//! who is held out in some of the seeds only counts in those. What seeds themselves vary by is inside the students' numbers, not a
//! variance of its own: with few seeds the intervals say little about other seeds.

use super::results::{Line, Results, correct};
use crate::config::EvaluateSettings;
use novice_rewards::metrics::interval::{Bootstrap, bootstrap, compare};
use novice_rewards::metrics::statistics::{STATISTICS, Statistic};
use novice_rewards::metrics::tally::Tally;
use std::collections::{BTreeMap, BTreeSet};

/// What was counted of one policy: by part of the split, by student.
pub type Counted = BTreeMap<String, BTreeMap<String, Tally>>;

/// The tallies of a cell's students, added over `seeds`.
pub fn pooled(arm: &BTreeMap<u64, Counted>, seeds: &BTreeSet<u64>, cell: &str) -> BTreeMap<String, Tally> {
    let mut students: BTreeMap<String, Tally> = BTreeMap::new();
    let cells = arm.iter().filter(|(seed, _)| seeds.contains(seed)).filter_map(|(_, counted)| counted.get(cell));
    for (student, tally) in cells.flatten() {
        students.entry(student.clone()).or_insert_with(|| Tally::new(tally.turns())).add(tally, 1.0);
    }
    students
}

/// The numbers of arms, each with what was counted in each of its seeds; arms without a seed are left out.
pub fn results_of_arms(
    arms: &[(String, BTreeMap<u64, Counted>)],
    settings: &EvaluateSettings,
    reference: &str,
    seed: u64,
) -> Results {
    let (resamples, confidence) = (settings.resamples, settings.confidence);
    let options = Bootstrap { resamples, confidence, seed };
    let statistics: Vec<Statistic> =
        STATISTICS.iter().copied().filter(|s| settings.protocol.shows(s.protocol)).collect();
    let cells: BTreeSet<&str> =
        arms.iter().flat_map(|(_, seeds)| seeds.values()).flat_map(|c| c.keys().map(String::as_str)).collect();
    let other = arms.iter().find(|(name, _)| name == reference).map(|(_, seeds)| seeds);
    let mut lines = Vec::new();
    for cell in cells {
        let first = lines.len();
        for (name, seeds) in arms {
            let students = pooled(seeds, &seeds.keys().copied().collect(), cell);
            if students.is_empty() {
                continue;
            }
            let values: Vec<Tally> = students.values().cloned().collect();
            let rollouts = values.iter().map(|tally| tally.rollouts).sum::<f64>() as usize;
            let differences = match other {
                Some(other) if name != reference => {
                    let both: BTreeSet<u64> = seeds.keys().filter(|seed| other.contains_key(seed)).copied().collect();
                    let (ours, theirs) = (pooled(seeds, &both, cell), pooled(other, &both, cell));
                    if ours.is_empty() || !paired(&ours, &theirs) {
                        vec![None; statistics.len()]
                    } else {
                        let list = |of: BTreeMap<String, Tally>| of.into_values().collect::<Vec<_>>();
                        compare(&list(ours), &list(theirs), &statistics, options)
                    }
                }
                _ => vec![None; statistics.len()],
            };
            let numbers = statistics.iter().zip(bootstrap(&values, &statistics, options)).zip(differences);
            let counts = (rollouts, values.len());
            let line = |((statistic, value), difference)| Line::new((name, cell), counts, statistic, value, difference);
            lines.extend(numbers.map(line));
        }
        correct(lines.get_mut(first..).unwrap_or_default());
    }
    Results { reference: other.map(|_| reference.to_string()), resamples, confidence, lines, shapes: Vec::new() }
}

/// Whether both hold the same students with as many rollouts each: else the pairs would not be pairs.
fn paired(ours: &BTreeMap<String, Tally>, theirs: &BTreeMap<String, Tally>) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|((a, x), (b, y))| a == b && x.rollouts == y.rollouts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use novice_rewards::metrics::diversity::Memory;
    use novice_rewards::view::{RewardInput, Start, StepView};

    fn tally(grade: f64) -> Tally {
        let step = |grade| StepView::ran("x = 1", grade);
        let mut tally = Tally::new(1);
        let (rollout, student) = ([step(grade)], [step(100.0)]);
        let start = Some(Start { program: "x = 0", grade: 0.0, passed: &[] });
        let input = RewardInput { start, rollout: &rollout, student: &student, max_turns: 1, max_new_tokens: 0 };
        tally.observe(&input, &Memory::default(), &[]);
        tally
    }

    fn arm(seeds: &[(u64, &[(&str, f64)])]) -> BTreeMap<u64, Counted> {
        let cell = |students: &[(&str, f64)]| students.iter().map(|(s, g)| (s.to_string(), tally(*g))).collect();
        seeds.iter().map(|(seed, students)| (*seed, Counted::from([("all".to_string(), cell(students))]))).collect()
    }

    #[test]
    fn seeds_are_pooled_and_arms_compared_over_the_seeds_that_both_have() {
        let reference = arm(&[(1, &[("a", 0.0), ("b", 100.0)]), (2, &[("a", 50.0), ("b", 50.0)])]);
        // Its second seed failed.
        let better = arm(&[(1, &[("a", 100.0), ("b", 100.0)])]);
        let arms = [("plain".to_string(), reference), ("better".to_string(), better)];
        let settings = EvaluateSettings { resamples: 200, horizon: 1, ..EvaluateSettings::default() };
        let results = results_of_arms(&arms, &settings, "plain", 7);
        let find = |arm: &str| {
            let at = |l: &&Line| l.policy == arm && l.statistic == "joint_grade_proximity";
            results.lines.iter().find(at).unwrap()
        };
        // Students weigh by their rollouts: (0 + 1 + 1/2 + 1/2) / 4.
        assert_eq!((find("plain").value, find("plain").students, find("plain").rollouts), (Some(0.5), 2, 4));
        // Over seed 1 alone: 1 - (0 + 1) / 2.
        assert_eq!((find("better").value, find("better").difference), (Some(1.0), Some(0.5)));
        assert!(find("plain").p.is_none() && find("better").p_holm >= find("better").p);
    }

    #[test]
    fn other_students_are_not_compared() {
        let arms = [("x".to_string(), arm(&[(1, &[("a", 0.0)])])), ("y".to_string(), arm(&[(1, &[("b", 0.0)])]))];
        let settings = EvaluateSettings { resamples: 100, horizon: 1, ..EvaluateSettings::default() };
        assert!(results_of_arms(&arms, &settings, "x", 7).lines.iter().all(|line| line.difference.is_none()));
    }
}

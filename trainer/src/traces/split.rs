//! Which trajectories are held out from training.
//!
//! Students (problems) are held out by a hash of the seed and their id, not by drawing from a list: adding students moves nobody
//! who was there. A share of 0.2 is therefore met on average, not exactly. Two repairs make small data usable: if
//! chance holds out everybody, the one with the largest hash is trained on; if it holds out nobody although the share is
//! above 0, the one with the smallest hash is held out (when there are at least two).
//!
//! `novelty` holds out students and problems at once. Only trajectories of a kept student on a kept problem are trained on
//! (all of them); the others are the three cells that are evaluated apart.

use super::step::Trajectory;
use crate::config::{SplitBy, SplitSettings};
use crate::error::{Error, Result};
use crate::random::unit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is new about a held-out trajectory. "Seen" means that the training split holds a trajectory of that student (on
/// that problem), whatever the split was meant to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// A student of the training split on a problem that is not in it.
    SeenStudentNewProblem,
    /// A student who is not in the training split on a problem that is.
    NewStudentSeenProblem,
    /// Neither is in the training split.
    NewStudentNewProblem,
}

impl Cell {
    /// All cells.
    pub const ALL: [Cell; 3] = [Cell::SeenStudentNewProblem, Cell::NewStudentSeenProblem, Cell::NewStudentNewProblem];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Cell::SeenStudentNewProblem => "seen student, new problem",
            Cell::NewStudentSeenProblem => "new student, seen problem",
            Cell::NewStudentNewProblem => "new student, new problem",
        }
    }
}

/// A trajectory that is not trained on.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// The trajectory.
    pub trajectory: Trajectory,
    /// What is new about it.
    pub cell: Cell,
}

/// Divides trajectories into training and held-out ones; both keep their order.
///
/// # Errors
/// [`Error::Config`] when a share is not in 0..1; [`Error::Usage`] when nothing is left to train on.
pub fn split(
    trajectories: Vec<Trajectory>,
    settings: &SplitSettings,
    seed: u64,
) -> Result<(Vec<Trajectory>, Vec<HeldOut>)> {
    for (field, share) in
        [("held_out_students", settings.held_out_students), ("held_out_problems", settings.held_out_problems)]
    {
        if !(0.0..1.0).contains(&share) {
            return Err(Error::Config(format!(
                "data.split.{field}: expected a share in 0..1 (1 excluded), found {share}"
            )));
        }
    }
    let by_student = settings.by != SplitBy::Problem;
    let by_problem = settings.by != SplitBy::Student;
    let students = trajectories.iter().map(|t| t.student.as_str()).filter(|_| by_student);
    let students = held_out(students.collect(), settings.held_out_students, "student", seed);
    let problems = trajectories.iter().map(|t| t.problem.as_str()).filter(|_| by_problem);
    let problems = held_out(problems.collect(), settings.held_out_problems, "problem", seed);
    let total = trajectories.len();
    let (train, rest): (Vec<_>, Vec<_>) =
        trajectories.into_iter().partition(|t| !students.contains(&t.student) && !problems.contains(&t.problem));
    if train.is_empty() && total > 0 {
        return Err(Error::Usage(format!(
            "the split leaves none of {total} trajectories to train on; lower data.split.held_out_students or \
             held_out_problems, or change the seed"
        )));
    }
    let seen_students: BTreeSet<&str> = train.iter().map(|t| t.student.as_str()).collect();
    let seen_problems: BTreeSet<&str> = train.iter().map(|t| t.problem.as_str()).collect();
    let label = |trajectory: Trajectory| {
        let student = seen_students.contains(trajectory.student.as_str());
        let cell = match (student, seen_problems.contains(trajectory.problem.as_str())) {
            (true, _) => Cell::SeenStudentNewProblem,
            (false, true) => Cell::NewStudentSeenProblem,
            (false, false) => Cell::NewStudentNewProblem,
        };
        HeldOut { trajectory, cell }
    };
    let rest = rest.into_iter().map(label).collect();
    Ok((train, rest))
}

fn held_out(ids: BTreeSet<&str>, share: f64, kind: &str, seed: u64) -> BTreeSet<String> {
    let mut ids: Vec<(f64, &str)> = ids.into_iter().map(|id| (unit(seed, kind, &[id]), id)).collect();
    ids.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    let mut count = ids.iter().take_while(|(hash, _)| *hash < share).count();
    if share > 0.0 {
        count = count.max(1);
    }
    count = count.min(ids.len().saturating_sub(1));
    ids.into_iter().take(count).map(|(_, id)| id.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::trajectory;
    use proptest::prelude::*;

    fn grid(students: usize, problems: usize) -> Vec<Trajectory> {
        let all = (0..students).flat_map(|s| (0..problems).map(move |p| (s, p)));
        all.map(|(s, p)| trajectory(&format!("s{s}"), &format!("p{p}"), &[("x", 0.0)])).collect()
    }

    fn settings(by: SplitBy, students: f64, problems: f64) -> SplitSettings {
        SplitSettings { by, held_out_students: students, held_out_problems: problems }
    }

    fn students(train: &[Trajectory]) -> BTreeSet<&str> {
        train.iter().map(|t| t.student.as_str()).collect()
    }

    #[test]
    fn by_student_holds_out_whole_students() {
        let (train, rest) = split(grid(200, 3), &settings(SplitBy::Student, 0.2, 0.9), 7).unwrap();
        assert_eq!(train.len() + rest.len(), 600);
        let seen = students(&train);
        assert!((140..180).contains(&seen.len()), "{}", seen.len());
        assert!(rest.iter().all(|h| !seen.contains(h.trajectory.student.as_str())));
        assert!(rest.iter().all(|h| h.cell == Cell::NewStudentSeenProblem));
    }

    #[test]
    fn adding_students_moves_nobody() {
        let by = settings(SplitBy::Student, 0.3, 0.0);
        let (small, _) = split(grid(50, 1), &by, 3).unwrap();
        let (large, _) = split(grid(80, 1), &by, 3).unwrap();
        let (small, large) = (students(&small), students(&large));
        let old: BTreeSet<&str> = large.iter().copied().filter(|s| s[1..].parse::<usize>().unwrap() < 50).collect();
        assert_eq!(small, old);
        let (other, _) = split(grid(50, 1), &by, 4).unwrap();
        assert_ne!(small, students(&other), "another seed, another split");
    }

    #[test]
    fn novelty_trains_on_one_cell_and_labels_the_others() {
        let (train, rest) = split(grid(40, 20), &settings(SplitBy::Novelty, 0.3, 0.3), 7).unwrap();
        let students = students(&train);
        let problems: BTreeSet<&str> = train.iter().map(|t| t.problem.as_str()).collect();
        assert_eq!(train.len(), students.len() * problems.len(), "the whole cell is trained on");
        let mut cells = BTreeSet::new();
        for h in &rest {
            let seen = (students.contains(&*h.trajectory.student), problems.contains(&*h.trajectory.problem));
            let expected = match seen {
                (true, false) => Cell::SeenStudentNewProblem,
                (false, true) => Cell::NewStudentSeenProblem,
                (false, false) => Cell::NewStudentNewProblem,
                (true, true) => panic!("held out, yet trained on"),
            };
            assert_eq!(h.cell, expected);
            cells.insert(h.cell);
        }
        assert_eq!(cells.len(), 3);
    }

    #[test]
    fn by_problem() {
        let (train, rest) = split(grid(3, 40), &settings(SplitBy::Problem, 0.9, 0.25), 7).unwrap();
        assert!(!train.is_empty() && rest.iter().all(|h| h.cell == Cell::SeenStudentNewProblem));
    }

    #[test]
    fn one_student_is_trained_on_and_of_two_one_is_held_out() {
        for seed in 0..20 {
            let (train, rest) = split(grid(1, 2), &settings(SplitBy::Student, 0.99, 0.0), seed).unwrap();
            assert_eq!((train.len(), rest.len()), (2, 0));
            for share in [0.01, 0.99] {
                let (train, rest) = split(grid(2, 2), &settings(SplitBy::Student, share, 0.0), seed).unwrap();
                assert_eq!((train.len(), rest.len()), (2, 2));
            }
        }
        assert_eq!(split(grid(5, 1), &settings(SplitBy::Student, 0.0, 0.0), 1).unwrap().1.len(), 0);
    }

    #[test]
    fn impossible_shares_and_empty_training_are_errors() {
        for share in [1.0, -0.1, f64::NAN] {
            let e = split(grid(2, 2), &settings(SplitBy::Student, share, 0.0), 1).unwrap_err().to_string();
            assert!(e.contains("data.split.held_out_students"), "{e}");
        }
        // Each student on a problem of his own: with both held out by half, the common cell can be empty.
        let diagonal: Vec<_> = (0..2).map(|i| trajectory(&format!("s{i}"), &format!("p{i}"), &[("x", 0.0)])).collect();
        let results: Vec<_> =
            (0..20).map(|seed| split(diagonal.clone(), &settings(SplitBy::Novelty, 0.5, 0.5), seed)).collect();
        assert!(results.iter().any(|r| r.is_err()));
        assert!(results.iter().flatten().all(|(train, _)| !train.is_empty()));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_trained_and_held_out(
            n in 1..30usize, m in 1..8usize, share in 0.0..0.99f64, seed in any::<u64>(), by in 0..2usize,
        ) {
            let by = [SplitBy::Student, SplitBy::Problem][by];
            let (train, rest) = split(grid(n, m), &settings(by, share, share), seed).unwrap();
            prop_assert!(!train.is_empty());
            let key = |t: &Trajectory| (t.student.clone(), t.problem.clone());
            let mut all: Vec<_> = train.iter().map(key).chain(rest.iter().map(|h| key(&h.trajectory))).collect();
            all.sort();
            all.dedup();
            prop_assert_eq!(all.len(), n * m);
        }
    }
}

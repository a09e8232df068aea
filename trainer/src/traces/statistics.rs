//! What the data looks like, split by split.

use super::split::HeldOut;
use super::step::{Step, Trajectory};
use super::table::table;
use crate::traces::split::Cell;
use novice_rewards::python::{normal_form, parses};
use novice_sandbox::Outcome;
use serde::Serialize;
use std::collections::BTreeSet;

/// Grades that differ by no more than this are the same grade.
const SAME_GRADE: f64 = 1e-9;

/// One split. Shares are in 0..=1; what has no meaning for an empty split is `None`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitStatistics {
    /// `train`, `held out` or the name of a [`Cell`].
    pub name: String,
    /// Trajectories.
    pub trajectories: usize,
    /// Students.
    pub students: usize,
    /// Problems.
    pub problems: usize,
    /// Submissions.
    pub submissions: usize,
    /// Mean number of submissions a trajectory.
    pub length_mean: Option<f64>,
    /// Its median.
    pub length_median: Option<f64>,
    /// Its maximum.
    pub length_max: usize,
    /// Share of trajectories that end with full marks.
    pub solved: Option<f64>,
    /// Mean of the last grades, in 0..=100.
    pub final_grade_mean: Option<f64>,
    /// Pairs of consecutive submissions.
    pub transitions: usize,
    /// Share of transitions in which the grade rises.
    pub rise: Option<f64>,
    /// … stays.
    pub stay: Option<f64>,
    /// … falls.
    pub fall: Option<f64>,
    /// Share of transitions in which the program stays the same, up to taste.
    pub same_program: Option<f64>,
    /// Share of submissions that parse as Python.
    pub parses: Option<f64>,
    /// Submissions by verdict, from best to worst; all verdicts are there.
    pub verdicts: Vec<(&'static str, usize)>,
}

/// All splits: training, held out, and the cells of the latter where there is more than one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statistics {
    /// The splits.
    pub splits: Vec<SplitStatistics>,
}

impl Statistics {
    /// Counts.
    pub fn of(train: &[Trajectory], held_out: &[HeldOut]) -> Self {
        let mut splits = vec![
            SplitStatistics::of("train", train.iter()),
            SplitStatistics::of("held out", held_out.iter().map(|h| &h.trajectory)),
        ];
        let cells: Vec<SplitStatistics> = Cell::ALL
            .into_iter()
            .map(|cell| {
                let inside = held_out.iter().filter(move |h| h.cell == cell).map(|h| &h.trajectory);
                SplitStatistics::of(cell.name(), inside)
            })
            .filter(|s| s.trajectories > 0)
            .collect();
        if cells.len() > 1 {
            splits.extend(cells);
        }
        Statistics { splits }
    }

    /// A table: a row a figure, a column a split.
    pub fn render(&self) -> String {
        let mut head = vec![""];
        head.extend(self.splits.iter().map(|s| s.name.as_str()));
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut row = |name: &str, cell: &dyn Fn(&SplitStatistics) -> String| {
            rows.push(std::iter::once(name.to_string()).chain(self.splits.iter().map(cell)).collect());
        };
        let number = |x: Option<f64>| x.map_or("–".to_string(), |x| format!("{x:.2}"));
        let percent = |x: Option<f64>| x.map_or("–".to_string(), |x| format!("{:.1} %", 100.0 * x));
        row("trajectories", &|s| s.trajectories.to_string());
        row("students", &|s| s.students.to_string());
        row("problems", &|s| s.problems.to_string());
        row("submissions", &|s| s.submissions.to_string());
        row("length, mean", &|s| number(s.length_mean));
        row("length, median", &|s| number(s.length_median));
        row("length, max", &|s| s.length_max.to_string());
        row("solved", &|s| percent(s.solved));
        row("final grade, mean", &|s| number(s.final_grade_mean));
        row("transitions", &|s| s.transitions.to_string());
        row("  grade rises", &|s| percent(s.rise));
        row("  grade stays", &|s| percent(s.stay));
        row("  grade falls", &|s| percent(s.fall));
        row("  same program", &|s| percent(s.same_program));
        row("parses", &|s| percent(s.parses));
        for (i, outcome) in Outcome::ALL.iter().enumerate() {
            let count = |s: &SplitStatistics| s.verdicts.get(i).map_or(0, |v| v.1);
            if self.splits.iter().any(|s| count(s) > 0) {
                row(outcome.words(), &|s| count(s).to_string());
            }
        }
        table(1, &head, &rows)
    }
}

impl SplitStatistics {
    /// Counts one split.
    pub fn of<'a>(name: &str, trajectories: impl Iterator<Item = &'a Trajectory>) -> Self {
        let all: Vec<&Trajectory> = trajectories.collect();
        let distinct = |id: fn(&Trajectory) -> &str| all.iter().map(|t| id(t)).collect::<BTreeSet<_>>().len();
        let steps = || all.iter().flat_map(|t| &t.steps);
        let mut lengths: Vec<usize> = all.iter().map(|t| t.steps.len()).collect();
        lengths.sort_unstable();
        let moves: Vec<(&Step, &Step)> = all.iter().flat_map(|t| t.steps.iter().zip(t.steps.iter().skip(1))).collect();
        let share_of_moves = |holds: &dyn Fn(f64) -> bool| {
            share(moves.iter().filter(|(a, b)| holds(b.grade() - a.grade())).count(), moves.len())
        };
        let submissions = steps().count();
        let finals = all.iter().filter_map(|t| t.steps.last()).map(Step::grade);
        SplitStatistics {
            name: name.into(),
            trajectories: all.len(),
            students: distinct(|t| &t.student),
            problems: distinct(|t| &t.problem),
            submissions,
            length_mean: mean(submissions as f64, all.len()),
            length_median: median(&lengths),
            length_max: lengths.last().copied().unwrap_or(0),
            solved: share(all.iter().filter(|t| t.solved()).count(), all.len()),
            final_grade_mean: mean(finals.sum(), all.len()),
            transitions: moves.len(),
            rise: share_of_moves(&|d| d > SAME_GRADE),
            stay: share_of_moves(&|d| d.abs() <= SAME_GRADE),
            fall: share_of_moves(&|d| d < -SAME_GRADE),
            same_program: share(
                moves.iter().filter(|(a, b)| normal_form(&a.code) == normal_form(&b.code)).count(),
                moves.len(),
            ),
            parses: share(steps().filter(|s| parses(&s.code)).count(), submissions),
            verdicts: Outcome::ALL
                .iter()
                .map(|&o| (o.name(), steps().filter(|s| s.report.verdict == o).count()))
                .collect(),
        }
    }
}

fn mean(sum: f64, count: usize) -> Option<f64> {
    (count > 0).then(|| sum / count as f64)
}

fn share(part: usize, whole: usize) -> Option<f64> {
    mean(part as f64, whole)
}

fn median(sorted: &[usize]) -> Option<f64> {
    let high = *sorted.get(sorted.len() / 2)?;
    let low = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some((low + high) as f64 / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::testing::trajectory;

    #[test]
    fn counts_of_a_small_split() {
        let all = [
            trajectory("a", "p", &[("x = (", 0.0), ("x = 1", 50.0), ("x = 1 # c", 50.0), ("x = 2", 100.0)]),
            trajectory("b", "p", &[("y = 1", 60.0), ("y = 3", 20.0)]),
        ];
        let s = SplitStatistics::of("train", all.iter());
        assert_eq!((s.trajectories, s.students, s.problems, s.submissions, s.transitions), (2, 2, 1, 6, 4));
        assert_eq!((s.length_mean, s.length_median, s.length_max), (Some(3.0), Some(3.0), 4));
        assert_eq!((s.solved, s.final_grade_mean), (Some(0.5), Some(60.0)));
        assert_eq!((s.rise, s.stay, s.fall, s.same_program), (Some(0.5), Some(0.25), Some(0.25), Some(0.25)));
        assert_eq!(s.parses, Some(5.0 / 6.0));
        assert_eq!(s.verdicts[..2], [("passed", 1), ("wrong_answer", 5)]);
    }

    #[test]
    fn an_empty_split_has_no_means() {
        let statistics = Statistics::of(&[trajectory("a", "p", &[("x", 100.0)])], &[]);
        let json = serde_json::to_value(&statistics).unwrap();
        assert!(json["splits"][1]["length_mean"].is_null());
        insta::assert_snapshot!(statistics.render(), @r"
                             train  held out
        ────────────────────────────────────
        trajectories             1         0
        students                 1         0
        problems                 1         0
        submissions              1         0
        length, mean          1.00         –
        length, median        1.00         –
        length, max              1         0
        solved             100.0 %         –
        final grade, mean   100.00         –
        transitions              0         0
          grade rises            –         –
          grade stays            –         –
          grade falls            –         –
          same program           –         –
        parses             100.0 %         –
        passed                   1         0
        ");
    }
}

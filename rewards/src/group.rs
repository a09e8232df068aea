//! Do several rollouts from one start vary as students do: a proper score of a group.
//!
//! Any reward that measures the distance to one student's path is earned best by a compromise: if three students in ten solve at the
//! next step, a learner that never does is right more often than one that does so three times in ten. A proper scoring
//! rule has no such bias. The energy score of a distribution of rollouts `X` against what the student did, `y`, is
//!
//! ```text
//! S = E c(X, y) - 1/2 E c(X, X')
//! ```
//!
//! with `X'` an independent second rollout and `c` a closeness whose complement is of negative type; its expectation is largest when
//! the rollouts are distributed as the students are (Gneiting & Raftery 2007, "Strictly proper scoring rules, prediction, and
//! estimation", section 4.3 and 5.1). The gradient of `S` by the policy is that of an ordinary policy gradient with, for rollout `i` of `G`,
//!
//! ```text
//! reward_i = c(x_i, y) - 1/(G - 1) Σ_{j ≠ i} c(x_i, x_j)
//! ```
//!
//! (the half vanishes because both `X` and `X'` follow the policy). So a rollout is rewarded for being like the student
//! and unlike its siblings. A group of copies, of never-solvers or of instant solvers earns at most 0 each.
//!
//! The closeness is a fixed mixture over `max_turns` turns, last state held: grades 0.30 (`1 - abs(Δ) / 100`), outcomes
//! 0.25 (share of equal tests), steps 0.15 (`sqrt(min / max)` of the edit sizes), moment 0.20 (`1 - abs(Δ solving turn) / max_turns`, never
//! counting as the turn after the last), conduct 0.10 (same of malformed, refused, raised, ran, and repeat or not). Each part is a
//! positive definite kernel or the complement of an L1 distance, which is what properness asks for; that is why it is
//! not [`crate::trajectory`], whose gate and horizon depend on both paths.

use crate::track::Track;
use crate::trajectory::size_likeness;
use crate::view::{Start, StepView, grade_closeness, outcome};

/// One rollout's part in its group's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupReward {
    /// Closeness to the student's own continuation, 0..=1.
    pub closeness: f64,
    /// Mean closeness to the group's other rollouts, 0..=1; 0 for a group of one.
    pub sameness: f64,
    /// `closeness - sameness`, in -1..=1.
    pub total: f64,
}

/// The rewards of a group of rollouts from one start, in their order. `max_turns` is the limit that all of them ran
/// under; 0 takes the longest path there is, and the score is then no longer proper.
pub fn group_rewards(
    start: Option<Start>,
    rollouts: &[&[StepView]],
    student: &[StepView],
    max_turns: usize,
) -> Vec<GroupReward> {
    let longest = rollouts.iter().map(|steps| steps.len()).chain([student.len()]).max().unwrap_or(0);
    let turns = if max_turns == 0 { longest } else { max_turns };
    let student = Track::new(start, student.get(..turns).unwrap_or(student));
    let tracks: Vec<Track> =
        rollouts.iter().map(|steps| Track::new(start, steps.get(..turns).unwrap_or(steps))).collect();
    let pairwise: Vec<Vec<f64>> = tracks
        .iter()
        .enumerate()
        .map(|(index, ours)| tracks.iter().take(index).map(|theirs| closeness(ours, theirs, turns)).collect())
        .collect();
    // The table holds each pair once, the later rollout first.
    let pair = |i: usize, j: usize| pairwise.get(i.max(j)).and_then(|row| row.get(i.min(j))).copied().unwrap_or(0.0);
    tracks
        .iter()
        .enumerate()
        .map(|(index, track)| {
            let closeness = closeness(track, &student, turns);
            let others: f64 = (0..tracks.len()).filter(|other| *other != index).map(|other| pair(index, other)).sum();
            let sameness = others / tracks.len().saturating_sub(1).max(1) as f64;
            GroupReward { closeness, sameness, total: closeness - sameness }
        })
        .collect()
}

/// The energy score of a group, `mean c(x_i, y) - 1/2 mean c(x_i, x_j)` over `i ≠ j`: for evaluation. `None` of nobody.
pub fn group_score(rewards: &[GroupReward]) -> Option<f64> {
    let sum: f64 = rewards.iter().map(|reward| reward.closeness - 0.5 * reward.sameness).sum();
    (!rewards.is_empty()).then(|| sum / rewards.len() as f64)
}

/// Closeness of two paths over `turns` turns, in 0..=1; symmetric, 1 for equal paths.
fn closeness(ours: &Track, theirs: &Track, turns: usize) -> f64 {
    if turns == 0 {
        return 1.0;
    }
    let per_turn = (0..turns).map(|turn| {
        let (a, b) = (ours.at(turn), theirs.at(turn));
        let tests = a.passed.len().max(b.passed.len());
        let equal = (0..tests).filter(|test| outcome(a.passed, *test) == outcome(b.passed, *test)).count();
        let outcomes = if tests == 0 { grade_closeness(a.grade, b.grade) } else { equal as f64 / tests as f64 };
        let conduct = if (a.status, a.repeats) == (b.status, b.repeats) { 1.0 } else { 0.0 };
        0.30 * grade_closeness(a.grade, b.grade)
            + 0.25 * outcomes
            + 0.15 * size_likeness(a.edit_size, b.edit_size)
            + 0.10 * conduct
    });
    let solved = |track: &Track| track.solved.unwrap_or(turns);
    let moment = 1.0 - solved(ours).abs_diff(solved(theirs)) as f64 / turns as f64;
    (per_turn.sum::<f64>() / turns as f64 + 0.20 * moment).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Start<'static> = Start { program: "x = 0", grade: 20.0, passed: &[true, false, false, false, false] };

    fn step(program: &str, solved: bool) -> StepView<'_> {
        StepView {
            program: Some(program),
            parses: true,
            grade: if solved { 100.0 } else { 20.0 },
            passed: if solved { &[true; 5] } else { &[true, false, false, false, false] },
            tokens: 10,
            truncated: false,
            raised: false,
        }
    }

    fn solver() -> Vec<StepView<'static>> {
        vec![step("x = 5", true)]
    }

    fn plodder() -> Vec<StepView<'static>> {
        ["x = 1", "x = 2", "x = 3", "x = 4", "x = 6"].map(|program| step(program, false)).to_vec()
    }

    fn copier() -> Vec<StepView<'static>> {
        vec![step("x = 0", false); 5]
    }

    fn rewards(group: &[Vec<StepView>], student: &[StepView]) -> Vec<GroupReward> {
        let views: Vec<&[StepView]> = group.iter().map(Vec::as_slice).collect();
        group_rewards(Some(START), &views, student, 5)
    }

    /// Expected closeness and expected score of solving at once with probability `q`, where students do with `p`.
    fn expected(q: f64, p: f64) -> (f64, f64) {
        let c = |a: &[StepView], b: &[StepView]| closeness(&Track::new(Some(START), a), &Track::new(Some(START), b), 5);
        let (s, n) = (solver(), plodder());
        let (cross, same) = (c(&s, &n), 1.0);
        let to_student = q * (p * same + (1.0 - p) * cross) + (1.0 - q) * (p * cross + (1.0 - p) * same);
        let to_sibling = (q * q + (1.0 - q) * (1.0 - q)) * same + 2.0 * q * (1.0 - q) * cross;
        (to_student, to_student - 0.5 * to_sibling)
    }

    fn best(score: impl Fn(f64) -> f64) -> f64 {
        let grid = (0..=20).map(|step| f64::from(step) / 20.0);
        grid.max_by(|a, b| score(*a).total_cmp(&score(*b))).unwrap()
    }

    #[test]
    fn the_right_proportions_score_best() {
        for p in [0.1, 0.3, 0.5, 0.85] {
            assert_eq!(best(|q| expected(q, p).1), p);
        }
        // Closeness alone is earned best by an extreme.
        assert_eq!(best(|q| expected(q, 0.3).0), 0.0);
        assert_eq!(best(|q| expected(q, 0.85).0), 1.0);
    }

    #[test]
    fn games_earn_nothing() {
        for student in [solver(), plodder()] {
            for player in [solver(), plodder(), copier()] {
                for reward in rewards(&vec![player; 4], &student) {
                    assert!(reward.total <= 1e-12, "{reward:?}");
                    assert_eq!(reward.sameness, 1.0);
                }
            }
        }
    }

    #[test]
    fn the_odd_one_out_is_rewarded_when_right() {
        let group = [plodder(), plodder(), plodder(), solver()];
        let solved = rewards(&group, &solver());
        assert!(solved[3].total > 0.0 && solved[0].total < 0.0, "{solved:?}");
        let plodded = rewards(&group, &plodder());
        assert!(plodded[0].total > plodded[3].total);
        assert!(group_score(&solved).unwrap() < group_score(&plodded).unwrap());
    }

    #[test]
    fn copies_are_unlike_work() {
        let group = [copier(), plodder()];
        let rewards = rewards(&group, &plodder());
        assert!((rewards[1].closeness - 1.0).abs() < 1e-12);
        assert!(rewards[0].closeness < 0.8);
        assert!((rewards[0].sameness - rewards[1].sameness).abs() < 1e-12);
    }

    #[test]
    fn small_groups() {
        let alone = rewards(&[solver()], &solver());
        assert!((alone[0].total - 1.0).abs() < 1e-12);
        assert!(rewards(&[], &solver()).is_empty());
        assert_eq!(group_score(&[]), None);
        assert_eq!(group_rewards(None, &[&[]], &[], 0)[0].closeness, 1.0);
    }
}

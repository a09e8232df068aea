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
//! The closeness is a fixed mixture over `max_turns` turns, last state held:
//!
//! | part | weight | closeness |
//! |---|---|---|
//! | grades | 0.15 | `1 - abs(Δ) / 100` |
//! | outcomes | 0.15 | share of equal tests |
//! | steps | 0.10 | `sqrt(min / max)` of the edit sizes |
//! | moment | 0.15 | `1 - abs(Δ solving turn) / max_turns`, never counting as the turn after the last |
//! | conduct | 0.10 | same of malformed, refused, raised, ran, and repeat or not |
//! | kind | 0.15 | same [`EditKind`] |
//! | edits | 0.20 | `Σ min / Σ max` over the pairs of successive words that the edit added or took away |
//!
//! Each part is a positive definite kernel (the last is Ruzicka's) or the complement of an L1 distance, which is what properness asks for; that is
//! why it is not [`crate::trajectory`], whose gate and horizon depend on both paths. Kind and edits are there because grades can be had
//! in the right proportions without a student's work: by useless statements most of the time and the solution now and then.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::edit::{EditKind, edit_kind};
use crate::python::words;
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
    let student = Path::new(start, student.get(..turns).unwrap_or(student));
    let tracks: Vec<Path> =
        rollouts.iter().map(|steps| Path::new(start, steps.get(..turns).unwrap_or(steps))).collect();
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

/// Pairs of successive words (by hash) that an edit added (`true`) or took away, and how many of each.
type Words = HashMap<(bool, u64), u32>;

/// A path, and the edits that made it.
struct Path<'a> {
    track: Track<'a>,
    /// The edit of each turn; `None` for a turn without a program.
    edits: Vec<Option<(EditKind, Words)>>,
}

impl<'a> Path<'a> {
    fn new(start: Option<Start<'a>>, steps: &[StepView<'a>]) -> Self {
        let mut before = start.map(|start| start.program);
        let edits = steps.iter().map(|step| {
            let program = step.program?;
            let edit = (edit_kind(before, program), changed(before.unwrap_or_default(), program));
            before = Some(program);
            Some(edit)
        });
        let edits = edits.collect();
        Path { track: Track::new(start, steps), edits }
    }

    fn edit(&self, turn: usize) -> Option<&(EditKind, Words)> {
        self.edits.get(turn).and_then(Option::as_ref)
    }
}

fn changed(before: &str, after: &str) -> Words {
    let mut counts: HashMap<u64, i64> = HashMap::new();
    for (code, sign) in [(before, -1), (after, 1)] {
        for pair in words(code).windows(2) {
            let mut hasher = DefaultHasher::new();
            pair.hash(&mut hasher);
            *counts.entry(hasher.finish()).or_default() += sign;
        }
    }
    let changed = counts.into_iter().filter(|(_, count)| *count != 0);
    changed.map(|(pair, count)| ((count > 0, pair), u32::try_from(count.abs()).unwrap_or(u32::MAX))).collect()
}

/// Ruzicka's similarity, `Σ min / Σ max`; 1 of two edits that changed nothing.
fn shared(a: &Words, b: &Words) -> f64 {
    let all = |words: &Words| words.values().map(|count| f64::from(*count)).sum::<f64>();
    let least: f64 = a.iter().map(|(pair, count)| f64::from(*count.min(b.get(pair).unwrap_or(&0)))).sum();
    let most = all(a) + all(b) - least;
    if most > 0.0 { least / most } else { 1.0 }
}

/// Closeness of two paths over `turns` turns, in 0..=1; symmetric, 1 for equal paths.
fn closeness(ours: &Path, theirs: &Path, turns: usize) -> f64 {
    if turns == 0 {
        return 1.0;
    }
    let per_turn = (0..turns).map(|turn| {
        let (a, b) = (ours.track.at(turn), theirs.track.at(turn));
        let tests = a.passed.len().max(b.passed.len());
        let equal = (0..tests).filter(|test| outcome(a.passed, *test) == outcome(b.passed, *test)).count();
        let outcomes = if tests == 0 { grade_closeness(a.grade, b.grade) } else { equal as f64 / tests as f64 };
        let conduct = if (a.status, a.repeats) == (b.status, b.repeats) { 1.0 } else { 0.0 };
        let (kind, edits) = match (ours.edit(turn), theirs.edit(turn)) {
            (Some(a), Some(b)) => (if a.0 == b.0 { 1.0 } else { 0.0 }, shared(&a.1, &b.1)),
            (None, None) => (1.0, 1.0),
            _ => (0.0, 0.0),
        };
        0.15 * grade_closeness(a.grade, b.grade)
            + 0.15 * outcomes
            + 0.10 * size_likeness(a.edit_size, b.edit_size)
            + 0.10 * conduct
            + 0.15 * kind
            + 0.20 * edits
    });
    let solved = |path: &Path| path.track.solved.unwrap_or(turns);
    let moment = 1.0 - solved(ours).abs_diff(solved(theirs)) as f64 / turns as f64;
    (per_turn.sum::<f64>() / turns as f64 + 0.15 * moment).min(1.0)
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
        let c = |a: &[StepView], b: &[StepView]| closeness(&Path::new(Some(START), a), &Path::new(Some(START), b), 5);
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
    fn edits_are_compared_by_what_they_change() {
        // |0 x = 0 to |0 x = 1 exchanges one pair of words for another; to |0 x = 2 shares the one taken away.
        let edit = |after: &str| changed("x = 0", after);
        assert_eq!(shared(&edit("x = 1"), &edit("x = 1")), 1.0);
        assert_eq!(shared(&edit("x = 1"), &edit("x = 2")), 1.0 / 3.0);
        assert_eq!(shared(&edit("x = 0"), &edit("x = 0 # same")), 1.0);
        assert_eq!(shared(&edit("x = 0"), &edit("x = 2")), 0.0);
    }

    #[test]
    fn right_grades_without_a_students_work_score_worse() {
        // Both solve one time in four; the exploiter pads its program otherwise.
        let padded = || -> Vec<StepView<'static>> {
            ["x = 0\nu = 1", "x = 0\nu = 2", "x = 0\nu = 3", "x = 0\nu = 4", "x = 0\nu = 5"]
                .map(|p| step(p, false))
                .to_vec()
        };
        let score = |group: &[Vec<StepView>], student: &[StepView]| group_score(&rewards(group, student)).unwrap();
        let (mut honest, mut exploit) = (0.0, 0.0);
        for student in [plodder(), plodder(), plodder(), solver()] {
            honest += score(&[plodder(), plodder(), plodder(), solver()], &student);
            exploit += score(&[padded(), padded(), padded(), solver()], &student);
        }
        assert!(honest > exploit + 0.2, "{honest} {exploit}");
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

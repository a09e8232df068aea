//! The trajectory reward on constructed trajectories: nobody games it.

use super::*;
use crate::view::{Start, StepView};
use proptest::prelude::*;

const TESTS: usize = 5;

/// A learner's path as owned data: a program and the number of tests passed, turn by turn.
#[derive(Debug, Clone)]
struct Path {
    programs: Vec<String>,
    passed: Vec<[bool; TESTS]>,
}

impl Path {
    fn new(turns: &[(&str, usize)]) -> Self {
        Path {
            programs: turns.iter().map(|(program, _)| (*program).to_owned()).collect(),
            passed: turns.iter().map(|(_, count)| std::array::from_fn(|test| test < *count)).collect(),
        }
    }

    fn views(&self) -> Vec<StepView<'_>> {
        let steps = self.programs.iter().zip(&self.passed);
        steps
            .map(|(program, passed)| StepView {
                program: Some(program),
                parses: true,
                grade: passed.iter().filter(|ok| **ok).count() as f64 * 100.0 / TESTS as f64,
                passed,
                tokens: 20,
                truncated: false,
                raised: false,
            })
            .collect()
    }
}

const START: &str = "def f(x):\n    return 0\n";

fn start() -> Start<'static> {
    Start { program: START, grade: 20.0, passed: &[true, false, false, false, false] }
}

fn reward(rollout: &Path, student: &Path) -> Trajectory {
    let (ours, theirs) = (rollout.views(), student.views());
    let input = RewardInput { start: Some(start()), rollout: &ours, student: &theirs, max_turns: 5, max_new_tokens: 0 };
    trajectory(&input)
}

fn program(version: usize) -> String {
    format!("def f(x):\n    y = x + {version}\n    return y\n")
}

fn path(counts: &[usize]) -> Path {
    let programs: Vec<String> = (0..counts.len()).map(program).collect();
    let turns: Vec<(&str, usize)> = programs.iter().map(String::as_str).zip(counts.iter().copied()).collect();
    Path::new(&turns)
}

fn copier(turns: usize) -> Path {
    Path::new(&vec![(START, 1); turns])
}

/// A rollout that has the student's pace but not its programs or every grade.
fn tracker(counts: &[usize]) -> Path {
    let programs: Vec<String> =
        (0..counts.len()).map(|turn| format!("def f(x):\n    z = {turn} * x\n    return z\n")).collect();
    let turns: Vec<(&str, usize)> = programs.iter().map(String::as_str).zip(counts.iter().copied()).collect();
    Path::new(&turns)
}

#[test]
fn the_student_earns_one() {
    for counts in [&[1, 2, 3, 4, 5][..], &[1, 1, 5], &[5], &[1, 1, 1], &[3, 2, 2, 1, 4]] {
        let student = path(counts);
        assert!((reward(&student, &student).total - 1.0).abs() < 1e-12, "{counts:?}");
    }
}

#[test]
fn games_lose_to_tracking() {
    // (the student's passed tests by turn, a rollout that tracks it roughly)
    let cases: [(&[usize], &[usize]); 6] = [
        (&[1, 2, 3, 4, 5], &[1, 1, 3, 4, 5]),
        (&[1, 1, 1, 1, 5], &[1, 1, 1, 2, 5]),
        (&[1, 1, 5], &[1, 2, 5]),
        (&[2, 1, 3, 3, 5], &[2, 2, 3, 3, 5]),
        (&[0, 0, 2, 5], &[0, 1, 2, 5]),
        (&[1, 1, 1, 1, 1], &[1, 1, 1, 2, 1]),
    ];
    for (student_counts, tracker_counts) in cases {
        let student = path(student_counts);
        let tracked = reward(&tracker(tracker_counts), &student);
        let copied = reward(&copier(5), &student);
        let never = reward(&tracker(&[1, 1, 1, 1, 2]), &student);
        let at_once = reward(&tracker(&[5]), &student);
        assert!(tracked.total > copied.total + 0.3, "copier {student_counts:?}: {tracked:?} {copied:?}");
        assert!(copied.total <= 0.2 + 1e-12, "copier {student_counts:?}: {copied:?}");
        assert!(tracked.total > at_once.total + 0.2, "at once {student_counts:?}: {tracked:?} {at_once:?}");
        if student_counts.contains(&5) {
            assert!(tracked.total > never.total + 0.1, "never {student_counts:?}: {tracked:?} {never:?}");
        }
    }
}

#[test]
fn a_copier_that_alternates_is_a_copier() {
    let student = path(&[1, 1, 1, 1, 5]);
    let other = program(9);
    let alternating = Path::new(&[(&other, 1), (START, 1), (&other, 1), (START, 1), (&other, 1)]);
    let honest = reward(&tracker(&[1, 1, 1, 1, 1]), &student);
    assert!(reward(&alternating, &student).total < honest.total - 0.3);
}

#[test]
fn repeating_is_right_when_the_student_repeats() {
    let student = Path::new(&[(START, 1), (&program(1), 5)]);
    let repeats = Path::new(&[(START, 1), (&program(2), 5)]);
    let hurries = Path::new(&[(&program(3), 1), (&program(2), 5)]);
    assert!(reward(&repeats, &student).total > reward(&hurries, &student).total);
}

#[test]
fn hold_last_hides_nobody() {
    let student = path(&[1, 1, 1, 1, 5]);
    // Held at 100 from turn 1 against 20 20 20 20 100.
    let at_once = reward(&tracker(&[5]), &student);
    assert!((at_once.grades - (4.0 * 0.2 + 1.0) / 5.0).abs() < 1e-12);
    assert_eq!(at_once.moment, 0.0);
    // Giving up at turn 1 holds 20: right for four turns, wrong for the last.
    let gave_up = reward(&tracker(&[1]), &student);
    assert!((gave_up.grades - (4.0 + 0.2) / 5.0).abs() < 1e-12);
    assert_eq!(gave_up.moment, 0.0);
    assert!(gave_up.steps <= 0.2);
}

#[test]
fn the_window_hides_what_the_rollout_could_not_reach() {
    let student = path(&[1, 1, 1, 1, 1, 1, 5]);
    let rollout = tracker(&[1, 1, 1, 1, 1]);
    let seen = reward(&rollout, &student);
    assert_eq!(seen.moment, 1.0);
    assert_eq!(seen.grades, 1.0);
}

#[test]
fn malformed_turns_cost() {
    let student = path(&[1, 2, 5]);
    let ours = student.views();
    let theirs = student.views();
    let mut broken = ours.clone();
    broken[1] = StepView { program: None, parses: false, ..broken[1] };
    let input =
        |rollout| RewardInput { start: Some(start()), rollout, student: &theirs, max_turns: 5, max_new_tokens: 0 };
    let one_bad = trajectory(&input(&broken));
    assert!((one_bad.wellformed - 2.0 / 3.0).abs() < 1e-12);
    assert!(one_bad.total < 0.67);
    let silent = [StepView { program: None, parses: false, grade: 20.0, ..ours[0] }; 3];
    assert_eq!(trajectory(&input(&silent)).total, 0.0);
}

#[test]
fn nothing_beside_nothing_is_alike() {
    let input = RewardInput { start: None, rollout: &[], student: &[], max_turns: 0, max_new_tokens: 0 };
    assert_eq!(trajectory(&input).total, 1.0);
}

fn any_path() -> impl Strategy<Value = Path> {
    proptest::collection::vec((0..4_usize, 0..=TESTS), 0..6).prop_map(|turns| {
        let programs: Vec<String> =
            turns.iter().map(|(version, _)| if *version == 0 { START.to_owned() } else { program(*version) }).collect();
        let turns: Vec<(&str, usize)> = programs.iter().map(String::as_str).zip(turns.iter().map(|t| t.1)).collect();
        Path::new(&turns)
    })
}

proptest! {
    #[test]
    fn bounded_and_maximal_at_the_student(rollout in any_path(), student in any_path()) {
        let ours = reward(&rollout, &student);
        for part in [ours.grades, ours.outcomes, ours.steps, ours.moment, ours.status, ours.wellformed, ours.total] {
            prop_assert!((0.0..=1.0 + 1e-12).contains(&part), "{:?}", ours);
        }
        let window = Path { programs: student.programs.iter().take(5).cloned().collect(), passed: student.passed.iter().take(5).copied().collect() };
        prop_assert!((reward(&window, &student).total - 1.0).abs() < 1e-12);
    }

    #[test]
    fn grades_moment_and_steps_are_symmetric_without_repeats(a in proptest::collection::vec(0..=TESTS, 0..6), b in proptest::collection::vec(0..=TESTS, 0..6)) {
        let (a, b) = (path(&a[..a.len().min(5)]), tracker(&b[..b.len().min(5)]));
        let (there, back) = (reward(&a, &b), reward(&b, &a));
        prop_assert!((there.grades - back.grades).abs() < 1e-12);
        prop_assert!((there.moment - back.moment).abs() < 1e-12);
        prop_assert!((there.steps - back.steps).abs() < 1e-12);
        prop_assert!((there.status - back.status).abs() < 1e-12);
    }

    #[test]
    fn a_closer_grade_is_never_worse(counts in proptest::collection::vec(0..TESTS, 1..5), at in 0..5_usize, far in 0.0..99.0_f64, share in 0.0..=1.0_f64) {
        let (student, rollout) = (path(&counts), tracker(&counts));
        let (theirs, ours) = (student.views(), rollout.views());
        let at = at % counts.len();
        let with = |grade: f64| {
            let mut moved = ours.clone();
            moved[at].grade = grade;
            trajectory(&RewardInput { start: Some(start()), rollout: &moved, student: &theirs, max_turns: 5, max_new_tokens: 0 }).total
        };
        let near = far + (theirs[at].grade - far) * share;
        prop_assert!(with(near) >= with(far) - 1e-12);
    }
}

//! The composition on small rollouts, every reward on constructed ones, and what none of them may do.

use super::*;
use crate::view::{Start, StepView};
use proptest::prelude::*;

fn view(program: &str, grade: f64) -> StepView<'_> {
    StepView { program: Some(program), parses: true, grade, passed: &[], tokens: 5, truncated: false, raised: false }
}

#[test]
fn weighted_sum_and_components() {
    let student = [view("a = 1", 50.0), view("a = 2", 100.0)];
    let start = Some(Start { program: "a = 0", grade: 0.0, passed: &[] });
    let input = RewardInput { start, rollout: &student, student: &student, max_turns: 5, max_new_tokens: 0 };
    let both = compose(&[(RewardName::Trajectory, 1.0), (RewardName::PublishedStep, 0.5)], &input);
    assert!((both.total - 2.0).abs() < 1e-12);
    let names: Vec<&str> = both.components.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names[0], "trajectory");
    assert!(names.contains(&"trajectory.moment") && names.contains(&"published_step.base"));
    assert_eq!(step_values(RewardName::CorrectedStep, &input), Some(vec![1.0, 1.0]));
    assert_eq!(step_values(RewardName::Trajectory, &input), None);
}

#[test]
fn later_turns_are_judged_from_the_rollouts_own_last_program() {
    let student = [view("a = 1", 0.0), view("a = 2", 0.0)];
    let rollout = [view("b(0)", 0.0), view("b(0)", 0.0)];
    let start = Some(Start { program: "a = 0", grade: 0.0, passed: &[] });
    let input = RewardInput { start, rollout: &rollout, student: &student, max_turns: 5, max_new_tokens: 0 };
    let values = step_values(RewardName::CorrectedStep, &input).unwrap();
    assert!(values[0] > 0.0);
    assert_eq!(values[1], 0.0);
}

#[test]
fn an_empty_rollout_earns_the_least() {
    let student = [view("a = 1", 50.0)];
    let input = RewardInput { start: None, rollout: &[], student: &student, max_turns: 5, max_new_tokens: 0 };
    for name in [RewardName::PublishedStep, RewardName::CorrectedStep] {
        assert_eq!(compose(&[(name, 1.0)], &input).total, name.range().0);
    }
}

#[test]
fn bad_lists_are_refused() {
    assert_eq!(check(&[]), Err(RewardError::NoRewards));
    assert!(matches!(check(&[(RewardName::Trajectory, f64::NAN)]), Err(RewardError::BadWeight { .. })));
    assert!(matches!(
        check(&[(RewardName::Trajectory, 1.0), (RewardName::Trajectory, 2.0)]),
        Err(RewardError::Repeated { .. })
    ));
    assert_eq!(check(&[(RewardName::Trajectory, 1.0), (RewardName::CorrectedStep, 0.2)]), Ok(()));
}

/// The student goes from nothing right to full marks in three turns.
const PROGRAMS: [&str; 4] = [
    "def f(x):\n    return 0",
    "def f(x):\n    return x",
    "def f(x):\n    y = x\n    return y + 1",
    "def f(x):\n    return x + 2",
];
const GRADES: [f64; 4] = [0.0, 0.0, 50.0, 100.0];
const PASSED: [&[bool]; 4] = [&[false, false], &[false, false], &[true, false], &[true, true]];

fn turn(program: usize) -> StepView<'static> {
    StepView { passed: PASSED[program], ..view(PROGRAMS[program], GRADES[program]) }
}

fn values(rollout: &[StepView], student: &[StepView]) -> Vec<(RewardName, f64)> {
    let start = Some(Start { program: PROGRAMS[0], grade: GRADES[0], passed: PASSED[0] });
    let input = RewardInput { start, rollout, student, max_turns: 5, max_new_tokens: 100 };
    RewardName::all().map(|name| (name, compose(&[(name, 1.0)], &input).total)).collect()
}

fn value_of(values: &[(RewardName, f64)], name: RewardName) -> f64 {
    values.iter().find(|(other, _)| *other == name).unwrap().1
}

#[test]
fn the_students_own_path_earns_the_most_of_everything() {
    let student = [turn(1), turn(2), turn(3)];
    for (name, value) in values(&student, &student) {
        assert!((value - name.range().1).abs() < 1e-12, "{name}: {value}");
    }
}

#[test]
fn components_by_hand() {
    let student = [turn(1), turn(2), turn(3)];
    // Copies the start three times: grades 0 0 0 against 0 50 100.
    let copied = values(&[turn(0), turn(0), turn(0)], &student);
    for name in [
        RewardName::Novelty,
        RewardName::CurveArea,
        RewardName::CurveWarping,
        RewardName::OutcomeWarping,
        RewardName::ProgramTokens,
        RewardName::ProgramTree,
        RewardName::ProgramCodebleu,
        RewardName::EditKind,
        RewardName::EditPlace,
        RewardName::Ending,
    ] {
        assert_eq!(value_of(&copied, name), 0.0, "{name}");
    }
    // Solves at once: the area between 0 100 100 100 and 0 0 50 100 is 50 + 75 + 25 over 300.
    let solved = values(&[turn(3)], &student);
    assert!((value_of(&solved, RewardName::CurveArea) - 0.5).abs() < 1e-12);
    // One warped pair a turn: 1 + 0.5 + 0 with the first on the diagonal, over 1 + 3 turns.
    assert!((value_of(&solved, RewardName::CurveWarping) - (1.0 - (2.0 + 0.5) / 4.0)).abs() < 1e-12);
    // Both solved (1/2), at turns 0 and 2 of 3 (moment 0).
    assert_eq!(value_of(&solved, RewardName::Ending), 0.5);
    assert_eq!(value_of(&solved, RewardName::Novelty), 1.0);
    // One turn late, warping forgives: 0 0 50 against 0 50 100 costs only the end.
    let late = values(&[turn(1), turn(0), turn(2)], &student);
    assert!(value_of(&late, RewardName::Novelty) < 1.0);
    let kinds = values(&[StepView { tokens: 95, ..turn(1) }], &student);
    // 95 of 100 tokens: L = 95, so the penalty is whole.
    assert_eq!(value_of(&kinds, RewardName::Length), 0.0);
    assert!((value_of(&kinds, RewardName::EditKind) - 1.0 / 3.0).abs() < 1e-12);
    assert!((value_of(&kinds, RewardName::ProgramTree) - 1.0 / 3.0).abs() < 1e-12);
}

#[test]
fn printed_and_released_differ_where_the_paper_says_so() {
    let student = [turn(3)];
    let broken = [StepView { parses: false, ..view("def f(x", 0.0) }];
    let values = values(&broken, &student);
    assert_eq!(value_of(&values, RewardName::PublishedStep), -0.5);
    assert_eq!(value_of(&values, RewardName::PublishedStepPrinted), -1.0);
}

#[test]
fn the_energy_score_sees_the_group() {
    let student = [turn(1), turn(2), turn(3)];
    let start = Some(Start { program: PROGRAMS[0], grade: GRADES[0], passed: PASSED[0] });
    let input = |rollout| RewardInput { start, rollout, student: &student, max_turns: 5, max_new_tokens: 0 };
    let (one, other) = ([turn(1), turn(2), turn(3)], [turn(3)]);
    let rewards = [(RewardName::Energy, 2.0), (RewardName::Novelty, 1.0)];
    let alike = compose_group(&rewards, &[input(&one), input(&one)]);
    // Closeness 1, sameness 1.
    assert!((alike[0].total - 1.0).abs() < 1e-12);
    assert!((group_worth(&rewards, &alike).unwrap() - 2.0).abs() < 1e-12);
    let mixed = compose_group(&rewards, &[input(&one), input(&other)]);
    assert!(mixed[0].total > alike[0].total && mixed[0].total > mixed[1].total);
    assert_eq!(group_worth(&rewards, &[]), None);
    assert_eq!(compose(&[(RewardName::Energy, 1.0)], &input(&one)).total, 1.0);
}

fn any_step() -> impl Strategy<Value = StepView<'static>> {
    (0..4_usize, 0..6_u8, 0..200_usize).prop_map(|(program, how, tokens)| {
        let step = StepView { tokens, ..turn(program) };
        match how {
            0 => StepView { program: None, parses: false, grade: 0.0, passed: &[], ..step },
            1 => StepView { parses: false, program: Some("def f(x"), grade: 0.0, passed: &[], ..step },
            2 => StepView { raised: true, ..step },
            3 => StepView { truncated: true, ..step },
            _ => step,
        }
    })
}

proptest! {
    #[test]
    fn every_reward_keeps_to_its_range(
        rollout in proptest::collection::vec(any_step(), 0..6), student in proptest::collection::vec(any_step(), 0..7),
    ) {
        for (name, value) in values(&rollout, &student) {
            let (low, high) = name.range();
            prop_assert!((low - 1e-12..=high + 1e-12).contains(&value), "{} {}", name, value);
        }
    }

    #[test]
    fn a_group_does_not_change_the_rewards_of_one(
        rollout in proptest::collection::vec(any_step(), 0..5), sibling in proptest::collection::vec(any_step(), 0..5),
    ) {
        let student = [turn(1), turn(2), turn(3)];
        let start = Some(Start { program: PROGRAMS[0], grade: GRADES[0], passed: PASSED[0] });
        let input = |rollout| RewardInput { start, rollout, student: &student, max_turns: 5, max_new_tokens: 100 };
        let rewards: Vec<_> = RewardName::all().filter(|name| !name.of_group()).map(|name| (name, 1.0)).collect();
        let group = compose_group(&rewards, &[input(&rollout), input(&sibling)]);
        prop_assert_eq!(&group[0], &compose(&rewards, &input(&rollout)));
    }
}

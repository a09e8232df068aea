//! Groups made by hand: which are kept, what their tokens are worth, which count.

use super::group::Played;
use crate::config::{Credit, DapoSettings, KeepBy, WeightedReward};
use crate::generate::RngKey;
use crate::rollout::{Beside, End, Rollout, Start, Turn};
use crate::traces::Trajectory;
use crate::traces::testing::{graded, problem, report};
use novice_rewards::RewardName;

/// A turn of `tokens` tokens with this grade; each program is another one.
fn turn(name: &str, grade: f64, tokens: usize, stopped: bool) -> Turn {
    let program = format!("print('{name}')");
    Turn {
        tokens: vec![7; tokens],
        log_probs: vec![-1.0; tokens],
        stopped,
        text: program.clone(),
        program: Some(program),
        malformed: None,
        report: Some(report(grade)),
        feedback: String::new(),
        reply: vec![8],
    }
}

/// Two submissions of three and two tokens.
fn rollout(name: &str, grades: [f64; 2]) -> Rollout {
    let turns = vec![turn(&format!("{name}0"), grades[0], 3, true), turn(&format!("{name}1"), grades[1], 2, true)];
    Rollout { turns, end: Some(End::OutOfTurns) }
}

fn settings() -> DapoSettings {
    DapoSettings {
        turns: 2,
        max_new_tokens: 10,
        overlong_buffer: 4,
        overlong_weight: 0.5,
        rewards: vec![WeightedReward { name: RewardName::CurveArea, weight: 1.0 }],
        ..DapoSettings::default()
    }
}

/// After one submission with grade 0 the student got 50 and then 100.
fn student() -> Trajectory {
    graded(&[0.0, 50.0, 100.0])
}

fn played<'a>(student: &'a Trajectory, rollouts: Vec<Rollout>, settings: &DapoSettings) -> Played<'a> {
    let beside = Beside { trajectory: student, position: 1, turns: 2, max_new_tokens: settings.max_new_tokens };
    Played::new(beside, rollouts, settings)
}

fn start() -> Start {
    Start { prompt: vec![1, 2, 3], problem: problem("p", "", ""), program: None, key: RngKey::default() }
}

fn close(have: &[f64], want: &[f64]) {
    let equal = have.len() == want.len() && have.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12);
    assert!(equal, "{have:?} is not {want:?}");
}

#[test]
fn rewards_are_closeness_less_the_overlong_penalty() {
    let student = student();
    let mut long = rollout("c", [50.0, 100.0]);
    long.turns[1] = turn("long", 100.0, 8, true);
    let group = vec![rollout("a", [50.0, 100.0]), rollout("b", [0.0, 0.0]), long];
    // The same curve; from 0 away by 50 and then by 100, an area of 25 + 75 of 200; 8 tokens are half way from 6 to 10.
    close(&played(&student, group, &settings()).totals, &[1.0, 0.5, 1.0 - 0.5 * 0.5]);
}

#[test]
fn groups_are_kept_by_outcome_and_not_by_the_shaped_reward() {
    let student = student();
    let mut settings = settings();
    let mut long = rollout("b", [50.0, 50.0]);
    long.turns[0] = turn("long", 50.0, 9, true);
    // The same grades, and rewards that differ by length alone.
    let same = played(&student, vec![rollout("a", [50.0, 50.0]), long], &settings);
    assert!(same.is_informative());
    let different = played(&student, vec![rollout("a", [50.0, 50.0]), rollout("b", [50.0, 100.0])], &settings);
    for (by, kept) in
        [(KeepBy::FinalGrade, [false, true]), (KeepBy::GradeCurve, [false, true]), (KeepBy::Reward, [true, true])]
    {
        settings.keep.by = by;
        (settings.keep.low, settings.keep.high) = (0.0, 1.0);
        assert_eq!([same.is_kept(&settings), different.is_kept(&settings)], kept, "{by:?}");
    }
    // Final grades of 0.5 and 1 have the mean 0.75.
    settings.keep.by = KeepBy::FinalGrade;
    for (low, high, kept) in [(0.0, 0.7, false), (0.8, 1.0, false), (0.75, 0.75, true)] {
        (settings.keep.low, settings.keep.high) = (low, high);
        assert_eq!(different.is_kept(&settings), kept, "{low} to {high}");
    }
}

#[test]
fn truncated_rollouts_can_be_masked() {
    let student = student();
    let mut settings = settings();
    let mut cut = rollout("b", [0.0, 0.0]);
    cut.turns[1].stopped = false;
    let played = played(&student, vec![rollout("a", [50.0, 100.0]), cut], &settings);
    for (mask, tokens) in [(false, [5, 5]), (true, [5, 0])] {
        settings.mask_truncated = mask;
        let group = played.group(&start(), &settings).unwrap();
        assert_eq!(group.members.iter().map(|m| m.tokens()).collect::<Vec<_>>(), tokens);
        // Masked or not it was part of the group: what the other one is worth stays.
        assert!(group.members[0].advantages.iter().all(|a| *a > 0.0));
    }
}

#[test]
fn an_advantage_of_the_rollout_is_that_of_all_its_tokens() {
    let student = student();
    let settings = settings();
    let played = played(&student, vec![rollout("a", [50.0, 100.0]), rollout("b", [0.0, 0.0])], &settings);
    let group = played.group(&start(), &settings).unwrap();
    // Rewards 1 and 0.5: 0.25 from the mean, with the sample's deviation 0.5/√2.
    let a = 0.25 / (0.5 / 2.0_f64.sqrt() + 1e-4);
    close(&group.members[0].advantages, &[a; 5]);
    close(&group.members[1].advantages, &[-a; 5]);
}

#[test]
fn what_a_turn_adds_is_its_own() {
    let student = student();
    let settings = DapoSettings { credit: Credit::Turn, ..settings() };
    // The first turns are graded alike; the second makes the difference, an area of 25 of 200.
    let alike = vec![rollout("a", [50.0, 100.0]), rollout("b", [50.0, 50.0])];
    let group = played(&student, alike, &settings).group(&start(), &settings).unwrap();
    close(&group.members[0].advantages, &[0.125; 5]);
    close(&group.members[1].advantages, &[-0.125; 5]);
    // The first turns make the difference; what comes after it adds more to the reward of the one that was behind.
    let caught_up = vec![rollout("a", [50.0, 100.0]), rollout("b", [0.0, 100.0])];
    let played = played(&student, caught_up, &settings);
    close(&played.totals, &[1.0, 0.75]);
    let group = played.group(&start(), &settings).unwrap();
    // The last state is held: after one turn 50, 50 is 0.125 away and 0, 0 is 0.5 away, so the second turn adds 0.125 and 0.25.
    close(&group.members[0].advantages, &[0.25, 0.25, 0.25, -0.125, -0.125]);
    close(&group.members[1].advantages, &[-0.25, -0.25, -0.25, 0.125, 0.125]);
}

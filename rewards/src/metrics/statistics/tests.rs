//! Every statistic on one rollout computed by hand, agreement with the published rows, and properties.

use super::*;
use crate::metrics::diversity::Memory;
use crate::metrics::published;
use crate::view::{RewardInput, Start, StepView};
use proptest::prelude::*;

const PROGRAMS: [&str; 4] = ["x = 0", "x = 1", "x = 1\ny = 2", "print(3)"];
const PASSED: [&[bool]; 4] = [&[false, false], &[true, false], &[true, false], &[true, true]];

fn step(program: usize) -> StepView<'static> {
    let grade = [0.0, 50.0, 50.0, 100.0][program];
    StepView { passed: PASSED[program], ..StepView::ran(PROGRAMS[program], grade) }
}

fn start() -> Option<Start<'static>> {
    Some(Start { program: PROGRAMS[0], grade: 0.0, passed: PASSED[0] })
}

fn tally(pairs: &[(&[StepView], &[StepView])], turns: usize) -> Tally {
    let mut tally = Tally::new(turns);
    for (rollout, student) in pairs {
        let input = RewardInput { start: start(), rollout, student, max_turns: turns, max_new_tokens: 0 };
        tally.observe(&input, &Memory::new(["print( 3 )"]), &[vec![0.0]]);
    }
    tally
}

fn value(tally: &Tally, name: &str) -> Option<f64> {
    let statistic = STATISTICS.iter().find(|statistic| statistic.name == name).unwrap();
    (statistic.of)(tally)
}

#[test]
fn one_rollout_by_hand() {
    // The model solves at the second of three turns; the student at the third.
    let (model, student) = ([step(1), step(3)], [step(1), step(2), step(3)]);
    let tally = tally(&[(&model, &student)], 3);
    let near = |name: &str, expected: f64| {
        let value = value(&tally, name).unwrap();
        assert!((value - expected).abs() < 1e-12, "{name}: {value}, expected {expected}");
    };
    // Grades 50 100 (100) against 50 50 100.
    near("joint_grade_proximity", (1.0 + 0.5 + 1.0) / 3.0);
    // The same grades: 0, 50 and 0 apart.
    near("grade_curve_distance", 50.0 / 300.0);
    // Another rollout from there got 0 and left it at that: 50, 100 and 100 away.
    near("grade_curve_score", 50.0 / 300.0 - 250.0 / 300.0 / 2.0);
    near("outcome_agreement", (1.0 + 0.5 + 1.0) / 3.0);
    // Solved by step: 0 1 1 against 0 0 1.
    // The reward: grades as above; outcomes likewise, as both tests change; no edit at the last turn against one; both
    // solve, a turn of two apart; nothing raised.
    let steps = (1.0 + (0.5_f64 / 0.8).sqrt() + 0.0) / 3.0;
    near("trajectory_closeness", (0.30 + 0.25) * 2.5 / 3.0 + 0.15 * steps + 0.20 * 0.5 + 0.10);
    near("solve_survival_distance", 1.0 / 3.0);
    near("stop_survival_distance", 0.0);
    // Transitions: ran to solved, against ran to ran and ran to solved.
    near("ladder_distance", 0.5);
    // literal, modify, against literal, small_add, delete: shares 1/2 1/2 against thirds.
    near("edit_kind_distance", 2.0 / 3.0);
    near("status_agreement", 1.0);
    near("edit_kind_likeness", (1.0 + 0.0) / 2.0);
    // Words changed: 1 of 4 by both; then 4 of 5 against 4 of 8.
    near("edit_size_likeness", (1.0 + (0.5_f64 / 0.8).sqrt()) / 2.0);
    // The same line; then the only line against the place after it.
    near("edit_place_overlap", 0.5);
    // The same program; then only the line's mark of 8 words.
    near("token_similarity", (1.0 + 1.0 / 8.0) / 2.0);
    // Trees of 5 and 10 nodes of which nothing but the statement is alike, and only 4 can stand for one another in
    // their order: 3 relabelled, 1 deleted, 6 inserted.
    near("tree_similarity", (1.0 + 0.0) / 2.0);
    // Equal; then of 5 words against 8 only the line's mark is shared, keyword or not, and no subtree and no flow.
    let words = (1.0_f64 / 5.0 * 0.1 / 4.0 * 0.1 / 3.0 * 0.1 / 2.0).powf(0.25) * (1.0_f64 - 8.0 / 5.0).exp();
    near("codebleu", (1.0 + 0.25 * (words + words)) / 2.0);
    // As published: three words have no order of four, which counts as 0.1, and no keyword, so that they weigh 0.6 of at
    // least 1; then nothing is shared, and a flow of 0 counts as 1.
    let three = round3(0.25 * (0.1_f64.powf(0.25) + (0.6 * 0.1_f64).powf(0.25) + 2.0));
    near("codebleu_published", (three + 0.25) / 2.0);
    near("codebleu_degradation", 0.25 - three);
    near("textual_backtracking", 0.0);
    near("solved", 1.0);
    near("solved_next", 0.0);
    near("solved_next_gap", 0.0);
    near("solved_next_calibration", 0.0);
    near("final_grade", 100.0);
    near("parses", 1.0);
    near("copies", 0.0);
    near("functional_backtracking", 0.0);
    near("memorised", 0.5);
    near("coverage", 2.0 / 3.0);
    // 1 at the first step, 0.5 at the second, nothing at the third.
    near("grade_proximity", 0.75);
    near("grade_degradation", -0.5);
    near("coverage_degradation", -0.5);
}

#[test]
fn steps_back_by_hand() {
    // One word from the last program at the start, then four, then none; tests passed 0 1 1.
    let tally_of = |model: &[StepView]| tally(&[(model, &[step(3)])], 3);
    let away = tally_of(&[step(2), step(1)]);
    assert_eq!(value(&away, "textual_backtracking"), Some(0.5));
    assert_eq!(value(&away, "functional_backtracking"), Some(0.0));
    // Tests passed 0 1 0 0, the last program sent twice.
    let back = tally_of(&[step(1), step(0), step(0)]);
    assert_eq!(value(&back, "functional_backtracking"), Some(1.0 / 3.0));
    assert_eq!((value(&back, "copies"), value(&back, "solved_next_gap")), (Some(1.0 / 3.0), Some(-1.0)));
}

#[test]
fn whoever_stops_is_seen() {
    let (model, student) = ([step(1)], [step(1), step(2), step(3)]);
    let tally = tally(&[(&model, &student)], 3);
    assert_eq!(tally.survival(Whose::Model), [(0.0, 0.0), (0.0, 1.0), (0.0, 1.0)]);
    assert_eq!(tally.survival(Whose::Student), [(0.0, 0.0), (0.0, 0.0), (1.0, 0.0)]);
    assert_eq!(value(&tally, "stop_survival_distance"), Some(2.0 / 3.0));
    // The grade of 50 is held: 50 50 50 against 50 50 100.
    assert!((value(&tally, "joint_grade_proximity").unwrap() - 2.5 / 3.0).abs() < 1e-12);
}

#[test]
fn nothing_counted_is_nothing_said() {
    let empty = Tally::new(3);
    for statistic in &STATISTICS {
        assert_eq!((statistic.of)(&empty), None, "{}", statistic.name);
    }
}

fn path() -> impl Strategy<Value = Vec<StepView<'static>>> {
    proptest::collection::vec((0..4_usize, 0..5_u8), 0..4).prop_map(|turns| {
        let one = |(program, how): (usize, u8)| match how {
            0 => StepView { program: None, parses: false, grade: 0.0, passed: &[], ..step(program) },
            1 => StepView { raised: true, ..step(program) },
            _ => step(program),
        };
        turns.into_iter().map(one).collect()
    })
}

proptest! {
    #[test]
    fn the_order_and_the_number_of_rollouts_do_not_matter(pairs in proptest::collection::vec((path(), path()), 1..5)) {
        let views: Vec<(&[StepView], &[StepView])> = pairs.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect();
        let backwards: Vec<_> = views.iter().rev().chain(&views).copied().collect();
        let (once, twice) = (tally(&views, 3), tally(&backwards, 3));
        for statistic in &STATISTICS {
            let near = match ((statistic.of)(&once), (statistic.of)(&twice)) {
                // Means are rounded to three decimals as published: sums in another order may fall on the other side.
                (Some(a), Some(b)) => (a - b).abs() < if statistic.protocol == Protocol::Published { 2e-3 } else { 1e-9 },
                (a, b) => a == b,
            };
            prop_assert!(near, "{}", statistic.name);
        }
    }

    #[test]
    fn total_variation_is_a_bounded_symmetric_distance(
        a in proptest::collection::vec(0.0..5.0_f64, 4), b in proptest::collection::vec(0.0..5.0_f64, 4), scale in 0.1..9.0_f64,
    ) {
        let there = total_variation(&a, &b).unwrap();
        prop_assert!((0.0..=1.0 + 1e-12).contains(&there));
        prop_assert!((there - total_variation(&b, &a).unwrap()).abs() < 1e-12);
        let larger: Vec<f64> = b.iter().map(|count| count * scale).collect();
        prop_assert!((there - total_variation(&a, &larger).unwrap()).abs() < 1e-9);
        prop_assert!(total_variation(&a, &a).unwrap() < 1e-12);
    }

    #[test]
    fn shares_are_shares_and_the_oracle_is_perfect(model in path(), student in path()) {
        // A student's record holds programs only.
        let student: Vec<StepView> = student.into_iter().filter(|step| step.program.is_some()).collect();
        for statistic in STATISTICS.iter().filter(|s| s.name != "final_grade") {
            let value = (statistic.of)(&tally(&[(&model, &student)], 3));
            let signed = ["degradation", "_gap", "discrimination", "_score"].iter().any(|end| statistic.name.ends_with(end));
            let low = if signed { -1.0 } else { 0.0 };
            prop_assert!(value.is_none_or(|v| (low - 1e-12..=1.0 + 1e-12).contains(&v)), "{} {:?}", statistic.name, value);
            let oracle = (statistic.of)(&tally(&[(&student, &student)], 3));
            match statistic.aim {
                Aim::High if statistic.protocol == Protocol::Corrected && statistic.name != "codebleu" => {
                    prop_assert!(oracle.is_none_or(|v| v > 1.0 - 1e-9), "{} {:?}", statistic.name, oracle);
                }
                // The oracle's other rollout here is no oracle's.
                Aim::Low if statistic.name == "grade_curve_score" => prop_assert!(oracle.is_none_or(|v| v <= 0.0)),
                Aim::Low => prop_assert!(oracle.is_none_or(|v| v.abs() < 1e-12), "{} {:?}", statistic.name, oracle),
                _ => {}
            }
        }
    }

    #[test]
    fn the_published_numbers_are_those_of_the_published_rows(pairs in proptest::collection::vec((path(), path()), 1..5)) {
        let views: Vec<(&[StepView], &[StepView])> = pairs.iter().map(|(a, b)| (a.as_slice(), b.as_slice())).collect();
        let tally = tally(&views, 3);
        let mut rows = Vec::new();
        for (model, student) in &pairs {
            for (at, theirs) in student.iter().enumerate() {
                rows.push(published::Row {
                    step: at + 1,
                    student_code: theirs.program.unwrap_or_default(),
                    model_code: model.get(at).map(|step| step.program.unwrap_or("?")),
                    student_grade: theirs.grade,
                    model_grade: model.get(at).map(|step| step.grade),
                });
            }
        }
        let (coverage, proximity) = (published::coverage(&rows, 3), published::grade_proximity(&rows, 3));
        prop_assert_eq!(value(&tally, "coverage"), coverage.overall);
        prop_assert_eq!(value(&tally, "coverage_degradation"), coverage.degradation);
        prop_assert_eq!(value(&tally, "grade_proximity"), proximity.overall);
        prop_assert_eq!(value(&tally, "grade_degradation"), proximity.degradation);
    }

    #[test]
    fn tallies_add_up(a in path(), b in path(), c in path()) {
        let together = tally(&[(&a, &b), (&c, &b)], 3);
        let mut sum = tally(&[(&a, &b)], 3);
        sum.add(&tally(&[(&c, &b)], 3), 1.0);
        for statistic in &STATISTICS {
            let (one, other) = ((statistic.of)(&together), (statistic.of)(&sum));
            prop_assert!(one.zip(other).map_or(one == other, |(x, y)| (x - y).abs() < 1e-12), "{}", statistic.name);
        }
    }
}

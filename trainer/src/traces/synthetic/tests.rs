//! Synthesis is deterministic, its mistakes are real edits, and its learners arrive.

use std::collections::HashMap;

use novice_rewards::python::{normal_form, parses};
use serde::Deserialize;

use super::mistakes::{MistakeClass, MistakeKind, possible};
use super::patch::apply;
use super::source::Source;
use super::*;

/// Programs with something for every kind of mistake.
fn problems() -> Vec<SyntheticProblem> {
    let problem = |id: &str, solutions: &[&str]| SyntheticProblem {
        id: id.to_owned(),
        solutions: solutions.iter().map(|code| (*code).to_owned()).collect(),
    };
    vec![
        problem(
            "evens",
            &[
                "def evens(numbers):\n    result = []\n    for i in range(1, len(numbers)):\n        if numbers[i] % 2 == 0 and i >= 1:\n            result.append(numbers[i])\n    return result\n",
                "def evens(numbers):\n    count = 0\n    text = \"\"\n    while count < 10:\n        count += 1\n        if count > 5:\n            text = text + str(count)\n        elif count == 3:\n            text = text + \"x: \"\n        else:\n            text = text.lower() + \"aeiouAEIOU\"\n    return text[::-1]\n",
            ],
        ),
        problem(
            "half",
            &[
                "number = float(input())\nhalf = number - number / 2\nrest = number // 2\nprint(\"Half:\", half)\nprint(\"Rest: \" + str(rest))\n",
            ],
        ),
        problem("three", &["def three(a, b):\n    if a > b:\n        return a - b\n    return len([a, b])\n"]),
    ]
}

fn settings(students: usize) -> SyntheticSettings {
    SyntheticSettings { students, ..SyntheticSettings::default() }
}

type Trajectories = HashMap<(String, String), Vec<String>>;

fn trajectories(attempts: &[SyntheticAttempt]) -> Trajectories {
    let mut found = Trajectories::new();
    for attempt in attempts {
        let codes = found.entry((attempt.student.clone(), attempt.problem.clone())).or_default();
        codes.push(attempt.code.clone());
        assert_eq!(codes.len(), attempt.attempt);
    }
    found
}

#[test]
fn equal_seeds_give_equal_logs() {
    assert_eq!(synthesise(&problems(), &settings(5), 1), synthesise(&problems(), &settings(5), 1));
    assert_ne!(synthesise(&problems(), &settings(5), 1), synthesise(&problems(), &settings(5), 2));
}

#[test]
fn a_students_work_does_not_depend_on_the_others() {
    let few = synthesise(&problems(), &settings(3), 9);
    let many = synthesise(&problems(), &settings(12), 9);
    assert_eq!(few, many.into_iter().take(few.len()).collect::<Vec<_>>());
}

#[test]
fn a_students_work_at_a_problem_does_not_depend_on_the_other_problems() {
    let all = trajectories(&synthesise(&problems(), &settings(4), 3));
    let one = trajectories(&synthesise(&problems()[1..2], &settings(4), 3));
    assert!(one.iter().all(|(key, codes)| all.get(key) == Some(codes)));
}

#[test]
fn every_mistake_changes_the_program_and_can_be_taken_back() {
    let mut seen: HashMap<MistakeKind, usize> = HashMap::new();
    for code in problems().iter().chain(&demo_course()).flat_map(|problem| &problem.solutions) {
        let source = Source::new(code).unwrap();
        for mistake in possible(&source) {
            let changed = apply(code, [&mistake.patch]);
            assert_ne!(&changed, code, "{:?}", mistake.kind);
            assert_ne!(normal_form(&changed), normal_form(code), "{:?} is no change:\n{changed}", mistake.kind);
            assert_eq!(&apply(&changed, [&mistake.patch.inverse(code)]), code, "{:?}", mistake.kind);
            let breaks = mistake.kind.class() == MistakeClass::Syntax;
            assert_eq!(parses(&changed), !breaks, "{:?}:\n{changed}", mistake.kind);
            *seen.entry(mistake.kind).or_default() += 1;
        }
    }
    let missing: Vec<_> = MistakeKind::ALL.iter().filter(|kind| !seen.contains_key(kind)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(MistakeKind::ALL.len() >= 16);
}

/// The problems of `configs/demo/course.yaml`.
fn demo_course() -> Vec<SyntheticProblem> {
    #[derive(Deserialize)]
    struct Course {
        problems: Vec<Problem>,
    }
    #[derive(Deserialize)]
    struct Problem {
        id: String,
        solutions: Vec<String>,
    }
    let course: Course = serde_saphyr::from_str(include_str!("../../../../configs/demo/course.yaml")).unwrap();
    course.problems.into_iter().map(|it| SyntheticProblem { id: it.id, solutions: it.solutions }).collect()
}

#[test]
fn the_demo_log_has_the_intended_shape() {
    let course = demo_course();
    assert_eq!(course.len(), 16);
    for problem in &course {
        assert!((2..=3).contains(&problem.solutions.len()), "{}", problem.id);
        for code in &problem.solutions {
            let places = possible(&Source::new(code).unwrap()).len();
            assert!(places >= 10, "{}: {places} mistakes in\n{code}", problem.id);
        }
    }
    let log = synthesise(&course, &SyntheticSettings::default(), 7);
    let all = trajectories(&log);
    let mean_length = log.len() as f64 / all.len() as f64;
    assert!((4.0..6.0).contains(&mean_length), "{mean_length}");
    let unparsed = log.iter().filter(|attempt| !parses(&attempt.code)).count() as f64 / log.len() as f64;
    assert!((0.15..0.25).contains(&unparsed), "{unparsed}");
    let solved = all.iter().filter(|((_, id), codes)| {
        let last = normal_form(codes.last().unwrap());
        let problem = course.iter().find(|problem| problem.id == *id).unwrap();
        problem.solutions.iter().any(|code| normal_form(code) == last)
    });
    let solved = solved.count() as f64 / all.len() as f64;
    assert!(solved > 0.93, "{solved}");
}

#[test]
fn learners_arrive_at_a_solution() {
    let problems = problems();
    let settings = SyntheticSettings { give_up_rate: 0.0, max_submissions: 200, ..settings(40) };
    for ((_, id), codes) in trajectories(&synthesise(&problems, &settings, 5)) {
        let problem = problems.iter().find(|problem| problem.id == id).unwrap();
        let last = normal_form(codes.last().unwrap());
        assert!(problem.solutions.iter().any(|code| normal_form(code) == last), "{}", codes.last().unwrap());
        // Only the last submission is right.
        let earlier = codes.iter().rev().skip(1);
        assert!(earlier.clone().all(|code| normal_form(code) != last), "{codes:?}");
    }
}

#[test]
fn the_rates_show_in_the_log() {
    let base = SyntheticSettings { max_submissions: 60, ..settings(60) };
    let share_of_repeats = |settings: &SyntheticSettings| {
        let all = trajectories(&synthesise(&problems(), settings, 11));
        let pairs = all.values().flat_map(|codes| codes.iter().zip(codes.iter().skip(1)));
        let (same, total) = pairs.fold((0, 0), |(same, total), (a, b)| (same + usize::from(a == b), total + 1));
        same as f64 / total as f64
    };
    assert!((share_of_repeats(&base) - 0.1).abs() < 0.04);
    assert_eq!(share_of_repeats(&SyntheticSettings { resubmit_rate: 0.0, ..base.clone() }), 0.0);
    let first = synthesise(&problems(), &SyntheticSettings { max_submissions: 1, ..base.clone() }, 11);
    assert!(first.iter().all(|attempt| attempt.attempt == 1));
    let unparsed = |share| {
        let settings = SyntheticSettings { syntax_share: share, ..base.clone() };
        synthesise(&problems(), &settings, 11).iter().filter(|attempt| !parses(&attempt.code)).count()
    };
    assert!(unparsed(0.6) > 2 * unparsed(0.1));
}

#[test]
fn bad_settings_are_named() {
    assert!(SyntheticSettings::default().problems().is_empty());
    let bad = SyntheticSettings { resubmit_rate: 1.5, wrong_edit_rate: 0.9, max_submissions: 0, ..settings(1) };
    let found = bad.problems();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("resubmit_rate"));
}

#[test]
fn problems_without_a_usable_solution_are_passed_over() {
    let broken = SyntheticProblem { id: "broken".to_owned(), solutions: vec!["def f(:".to_owned()] };
    assert!(synthesise(&[broken], &settings(3), 0).is_empty());
}

//! Metrics that no model improves by dropping out: a learner that stopped keeps its grade, and every rollout counts at
//! every step it is asked about.

use crate::python::normal_form;
use crate::view::{Status, StepView, grade_closeness};

/// The grades of one rollout and of the student it stands beside, from the same start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair<'a> {
    /// Grade of the last real submission before both; held by a learner that takes no turn.
    pub start_grade: f64,
    /// The model's grades, turn by turn.
    pub model: &'a [f64],
    /// The student's grades, turn by turn.
    pub student: &'a [f64],
}

/// Which steps of a pair count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// Steps at which the student submitted: the published `g`, so directly comparable with the published table.
    StudentSteps,
    /// All steps up to the limit, whoever has stopped: also sees a model that goes on after the student solved.
    AllSteps,
}

/// The grade held at `step` (from 1): what every joint measure means by a learner who stopped keeping its grade. A turn without a
/// program has the grade 0, and that is then what is kept: who breaks the format has nothing of what came before. A learner without
/// any turn keeps the grade of the start.
pub fn held_grade(start_grade: f64, grades: &[f64], step: usize) -> f64 {
    grades.get(step.saturating_sub(1)).or(grades.last()).copied().unwrap_or(start_grade)
}

/// Joint grade proximity at steps `1..=steps`: the mean over pairs of `1 - |model - student| / 100`, unrounded grades,
/// last grade held. `None` where no pair counts.
pub fn grade_proximity(pairs: &[Pair], steps: usize, window: Window) -> Vec<Option<f64>> {
    (1..=steps)
        .map(|step| {
            let counted = pairs.iter().filter(|pair| window == Window::AllSteps || step <= pair.student.len());
            let (mut sum, mut count) = (0.0, 0_usize);
            for pair in counted {
                let held = |grades| held_grade(pair.start_grade, grades, step);
                sum += grade_closeness(held(pair.model), held(pair.student));
                count += 1;
            }
            (count > 0).then(|| sum / count as f64)
        })
        .collect()
}

/// Distance of the grade curves in 0..=1: the mean over turns `1..=turns`, the limit of both, of `|model - student| / 100`, last
/// grade held. It is 1 less the joint grade proximity over all steps, and every turn's gap counts in full, so that no turn is worth
/// more to a learner who takes fewer. (Over the turns of the longer path alone, a learner who breaks the format at once beside a
/// student who solves at once would be counted for one turn, and one who tries in vain for all. The area under lines drawn from the
/// common start counts the last gap half, so that a learner who breaks the format at once beside a student with one step left
/// would be given half of the distance for nothing.)
pub fn curve_distance(pair: &Pair, turns: usize) -> f64 {
    let held = |grades, step| held_grade(pair.start_grade, grades, step);
    let gap = |step| 1.0 - grade_closeness(held(pair.model, step), held(pair.student, step));
    if turns == 0 { 0.0 } else { (1..=turns).map(gap).sum::<f64>() / turns as f64 }
}

/// One rollout's part of the energy score of a policy's grade curves: its distance to the student's curve less half of its mean
/// distance to the curves of the policy's `others` from the same start. The mean over the rollouts of a start is
/// `E d(X, y) − E d(X, X′) / 2` (Gneiting & Raftery 2007, 4.3), which no forecast makes smaller in expectation than the students'
/// own distribution does; the distance alone is smallest for their median, which is how no student behaves. `None` without others.
pub fn curve_score(pair: &Pair, others: &[Vec<f64>], turns: usize) -> Option<f64> {
    let spread: f64 = others.iter().map(|other| curve_distance(&Pair { student: other, ..*pair }, turns)).sum();
    (!others.is_empty()).then(|| curve_distance(pair, turns) - spread / others.len() as f64 / 2.0)
}

/// Share of turns whose program parses; a turn without a program does not. `None` for no turns.
pub fn parsing_share<'a>(steps: impl IntoIterator<Item = &'a StepView<'a>>) -> Option<f64> {
    share(steps.into_iter().map(|step| !matches!(step.status(), Status::Malformed | Status::DoesNotParse)))
}

/// Share of submissions that repeat the one before them, by normal form. The first is compared with `start`, or not
/// counted without one; malformed turns are skipped. `None` if nothing could be compared.
pub fn copy_share<'a>(start: Option<&'a str>, steps: impl IntoIterator<Item = &'a StepView<'a>>) -> Option<f64> {
    let mut before = start.map(normal_form);
    let mut copies = Vec::new();
    for program in steps.into_iter().filter_map(|step| step.program) {
        let form = normal_form(program);
        copies.extend(before.as_ref().map(|before| *before == form));
        before = Some(form);
    }
    share(copies.into_iter())
}

/// The turn (from 1) at which full marks were first reached.
pub fn solving_turn(steps: &[StepView]) -> Option<usize> {
    steps.iter().position(StepView::solved).map(|index| index + 1)
}

fn share(facts: impl Iterator<Item = bool>) -> Option<f64> {
    let (yes, all) = facts.fold((0_usize, 0_usize), |(yes, all), fact| (yes + usize::from(fact), all + 1));
    (all > 0).then(|| yes as f64 / all as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stopped_learners_keep_their_grade() {
        let early = Pair { start_grade: 0.0, model: &[100.0], student: &[0.0, 0.0, 100.0] };
        let track = Pair { start_grade: 0.0, model: &[0.0, 50.0, 100.0], student: &[0.0, 0.0, 100.0] };
        assert_eq!(grade_proximity(&[early], 4, Window::StudentSteps), vec![Some(0.0), Some(0.0), Some(1.0), None]);
        assert_eq!(grade_proximity(&[track, early], 3, Window::AllSteps), vec![Some(0.5), Some(0.25), Some(1.0)]);
        // The student solved at once and the model goes on failing: only the full window sees it.
        let slow = Pair { start_grade: 25.0, model: &[25.0, 25.0], student: &[100.0] };
        assert_eq!(grade_proximity(&[slow], 2, Window::StudentSteps), vec![Some(0.25), None]);
        assert_eq!(grade_proximity(&[slow], 2, Window::AllSteps), vec![Some(0.25), Some(0.25)]);
        let nobody = Pair { start_grade: 20.0, model: &[], student: &[] };
        assert_eq!(grade_proximity(&[nobody], 1, Window::AllSteps), vec![Some(1.0)]);
    }

    #[test]
    fn curve_distances_by_hand() {
        let over = |turns, start_grade, model: &[f64], student: &[f64]| {
            curve_distance(&Pair { start_grade, model, student }, turns)
        };
        let distance = |start_grade, model: &[f64], student: &[f64]| over(2, start_grade, model, student);
        assert_eq!(over(3, 0.0, &[50.0, 100.0], &[50.0, 50.0, 100.0]), 0.5 / 3.0);
        assert_eq!(over(0, 0.0, &[], &[]), 0.0);
        // In vain beside a student who solves at once: as far away after one turn as after four.
        assert_eq!([over(4, 0.0, &[0.0], &[100.0]), over(4, 0.0, &[0.0; 4], &[100.0])], [1.0, 1.0]);
        // No program at the first turn, beside a student who keeps 60 and then solves: nothing is left of the 60.
        assert_eq!(distance(60.0, &[0.0], &[60.0, 100.0]), 0.8);
        assert_eq!(distance(60.0, &[0.0], &[100.0]), 1.0);
        // No turn at all: 60 60 against 60 100.
        assert_eq!(distance(60.0, &[], &[60.0, 100.0]), 0.2);
        assert_eq!(distance(60.0, &[], &[]), 0.0);
    }

    #[test]
    fn the_score_of_the_students_own_distribution_is_the_best() {
        // Half of the students solve at once, half never.
        let students = [vec![100.0], vec![0.0]];
        let score = |forecast: &[&[f64]]| -> f64 {
            let mut sum = 0.0;
            for student in &students {
                for (i, model) in forecast.iter().enumerate() {
                    let others = forecast.iter().enumerate().filter(|(j, _)| *j != i).map(|(_, g)| g.to_vec());
                    let pair = Pair { start_grade: 0.0, model, student };
                    sum += curve_score(&pair, &others.collect::<Vec<_>>(), 1).unwrap();
                }
            }
            sum / (students.len() * forecast.len()) as f64
        };
        let (solves, fails, half): (&[f64], &[f64], &[f64]) = (&[100.0], &[0.0], &[50.0]);
        // 1/2 − (2 of 6 pairs are one apart: 2/3) / 2.
        assert!((score(&[solves, solves, fails, fails]) - (0.5 - 1.0 / 3.0)).abs() < 1e-12);
        // In the middle between both: as near as any, but it is no student, and there is no spread.
        assert_eq!([score(&[half; 4]), score(&[fails; 4]), score(&[solves; 4])], [0.5; 3]);
        assert_eq!(curve_score(&Pair { start_grade: 0.0, model: half, student: solves }, &[], 1), None);
    }

    proptest! {
        #[test]
        fn distance_and_proximity_agree(
            start_grade in 0.0..100.0_f64,
            model in proptest::collection::vec(0.0..100.0_f64, 0..5),
            student in proptest::collection::vec(0.0..100.0_f64, 0..5),
            turns in 0..6_usize,
        ) {
            let pair = Pair { start_grade, model: &model, student: &student };
            let near: f64 = grade_proximity(&[pair], turns, Window::AllSteps).into_iter().flatten().sum();
            prop_assert!(turns == 0 || (curve_distance(&pair, turns) - (1.0 - near / turns as f64)).abs() < 1e-12);
        }
    }

    proptest! {
        #[test]
        fn proximity_is_bounded_symmetric_and_indifferent_to_order(
            paths in proptest::collection::vec(
                (0.0..100.0_f64, proptest::collection::vec(0.0..100.0_f64, 0..4), proptest::collection::vec(0.0..100.0_f64, 0..4)), 1..5),
        ) {
            let pairs: Vec<Pair> =
                paths.iter().map(|(start_grade, model, student)| Pair { start_grade: *start_grade, model, student }).collect();
            let backwards: Vec<Pair> = pairs.iter().rev().copied().collect();
            let swapped: Vec<Pair> = pairs.iter().map(|p| Pair { model: p.student, student: p.model, ..*p }).collect();
            let of = |pairs: &[Pair]| grade_proximity(pairs, 4, Window::AllSteps);
            for ((a, b), c) in of(&pairs).into_iter().zip(of(&backwards)).zip(of(&swapped)) {
                let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
                prop_assert!((0.0..=1.0).contains(&a) && (a - b).abs() < 1e-12 && (a - c).abs() < 1e-12);
            }
            let same = Pair { model: pairs[0].student, ..pairs[0] };
            prop_assert!(of(&[same]).into_iter().flatten().all(|value| value == 1.0));
        }
    }

    #[test]
    fn shares() {
        let step = |program, parses| StepView { program, parses, ..StepView::ran("", 0.0) };
        let steps =
            [step(Some("a = 1"), true), step(Some("a=1 # same"), true), step(None, false), step(Some("a ="), false)];
        assert_eq!(parsing_share(&steps), Some(0.5));
        assert_eq!(copy_share(Some("b = 1"), &steps), Some(2.0 / 3.0));
        assert_eq!(copy_share(None, &steps), Some(0.5));
        assert_eq!(copy_share(None, &[]), None);
        assert_eq!(solving_turn(&[step(None, false), StepView { grade: 100.0, ..step(Some(""), true) }]), Some(2));
    }
}

//! What charts show of a policy besides its rollouts: the published protocol by step, and the kinds of its edits beside the students'.
//!
//! All parts of the split together. A value by step is a ratio of sums over rollouts (mean over covered steps, or covered steps of the
//! student's); half an interval is 1.96 standard errors of a ratio over clusters, with students as clusters (Cochran 1977, 6.3), nothing
//! for one student. Tables have bootstrapped intervals instead.

use novice_rewards::edit::EditKind;
use novice_rewards::metrics::tally::{Tally, Whose};
use serde::Serialize;

/// A policy's shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shape {
    /// The policy.
    pub policy: String,
    /// Steps from the first; those that no student took are left out.
    pub steps: Vec<StepShape>,
    /// Kinds of edits that were made by either, in the order of [`EditKind::ALL`].
    pub edits: Vec<EditShape>,
}

/// One step of the published protocol.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepShape {
    /// From 1.
    pub step: usize,
    /// Share of the student's steps at which the policy still submits.
    pub coverage: Option<Share>,
    /// CodeBLEU as published where both submit.
    pub codebleu: Option<Share>,
}

/// A value, and half its interval where there is more than one student.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    /// The value, in 0..=1.
    pub value: f64,
    /// 1.96 standard errors.
    pub half: Option<f64>,
}

/// How often a kind of edit was made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EditShape {
    /// Its name.
    pub kind: &'static str,
    /// Share of the policy's edits.
    pub model: f64,
    /// Share of the students' edits.
    pub student: f64,
}

impl Shape {
    /// The shape of a policy from what was counted of each student.
    pub fn of(policy: &str, students: &[&Tally]) -> Shape {
        let turns = students.iter().map(|tally| tally.turns()).max().unwrap_or(0);
        let ratio = |step: usize, above: usize, below: usize| {
            let number = |tally: &Tally, at: usize| tally.published(step).get(at).copied().unwrap_or(0.0);
            share(&students.iter().map(|t| (number(t, above), number(t, below))).collect::<Vec<_>>())
        };
        let steps = (0..turns).map(|step| StepShape {
            step: step + 1,
            coverage: ratio(step, 1, 0),
            codebleu: ratio(step, 3, 1),
        });
        let steps = steps.filter(|step| step.coverage.is_some()).collect();
        let shares = |whose: Whose| -> Vec<f64> {
            let mut counts = [0.0; EditKind::ALL.len()];
            for tally in students {
                counts.iter_mut().zip(tally.kinds(whose)).for_each(|(sum, count)| *sum += count);
            }
            let all = counts.iter().sum::<f64>().max(1.0);
            counts.iter().map(|count| count / all).collect()
        };
        let edits = EditKind::ALL.iter().zip(shares(Whose::Model)).zip(shares(Whose::Student));
        let edits = edits.map(|((kind, model), student)| EditShape { kind: kind.as_str(), model, student });
        let edits = edits.filter(|edit| edit.model + edit.student > 0.0).collect();
        Shape { policy: policy.into(), steps, edits }
    }
}

/// The ratio of sums of (above, below) a student; `None` where nothing stands below.
fn share(students: &[(f64, f64)]) -> Option<Share> {
    let counted = || students.iter().filter(|student| student.1 > 0.0);
    let (above, below) = counted().fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    if below <= 0.0 {
        return None;
    }
    let (value, n) = (above / below, counted().count() as f64);
    let squares: f64 = counted().map(|(a, b)| (a - value * b).powi(2)).sum();
    Some(Share { value, half: (n > 1.0).then(|| 1.96 * (squares * n / (n - 1.0)).sqrt() / below) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use novice_rewards::codebleu::{Form, codebleu};
    use novice_rewards::metrics::diversity::Memory;
    use novice_rewards::view::{RewardInput, Start, StepView};

    #[test]
    fn shapes_by_hand() {
        // One policy stops after the first of two turns beside one student, and does as the other student did.
        let tally = |model: &[StepView], student: &[StepView]| {
            let mut tally = Tally::new(3);
            let start = Some(Start { program: "x = 0", grade: 0.0, passed: &[] });
            let input = RewardInput { start, rollout: model, student, max_turns: 3, max_new_tokens: 0 };
            tally.observe(&input, &Memory::default(), &[]);
            tally
        };
        let real = [StepView::ran("x = 1", 0.0), StepView::ran("x = 1\nprint(x)\n", 0.0)];
        let (one, other) = (tally(&real[..1], &real), tally(&real, &real));
        let shape = Shape::of("P", &[&one, &other]);
        assert_eq!(shape.steps.len(), 2, "nobody took a third step");
        let coverage: Vec<_> = shape.steps.iter().filter_map(|step| step.coverage).map(|share| share.value).collect();
        assert_eq!(coverage, [1.0, 0.5]);
        // Residuals -1/2 and 1/2: sqrt(1/2 · 2 / 1) / 2.
        let half = shape.steps[1].coverage.unwrap().half.unwrap();
        assert!((half - 1.96 / 2.0).abs() < 1e-12, "{half}");
        let second = "x = 1\nprint(x)\n";
        let expected = codebleu(second, second, Form::Published).total;
        assert!(
            shape.steps[1].codebleu.is_some_and(|share| (share.value - expected).abs() < 1e-12 && share.half.is_none())
        );
        // Literals in 2 of 3 edits of the policy, in 2 of 4 of the students; the rest are additions.
        let edits: Vec<_> = shape.edits.iter().map(|edit| (edit.kind, edit.model, edit.student)).collect();
        assert_eq!(edits, [("literal", 2.0 / 3.0, 0.5), ("small_add", 1.0 / 3.0, 0.5)]);
        assert_eq!(Shape::of("P", &[]), Shape { policy: "P".into(), steps: vec![], edits: vec![] });
    }
}

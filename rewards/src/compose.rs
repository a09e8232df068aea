//! Rewards by name, weighted, with the breakdown that is logged.
//!
//! A run's YAML names rewards and weights; [`compose`] adds `weight · value` and lists every component so that each
//! can be plotted. Weights are not normalised: the total is the plain weighted sum.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::RewardError;
use crate::step::{StepInput, corrected_step, published_step, step_inputs};
use crate::trajectory::trajectory;
pub use crate::view::RewardInput;

/// The rewards there are. Names in YAML are in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardName {
    /// The published single-step reward, averaged over the turns that have a real counterpart; -0.75..=2.
    PublishedStep,
    /// The corrected single-step reward, averaged likewise; -1..=1.
    CorrectedStep,
    /// The whole trajectory reward; 0..=1.
    Trajectory,
    /// Its component of grades alone; 0..=1. Alone it can be gamed by copying on plateaus that the student copied too.
    TrajectoryGrades,
    /// Its component of test outcomes alone; 0..=1.
    TrajectoryOutcomes,
    /// Its component of edit sizes alone; 0..=1.
    TrajectorySteps,
    /// Its component of the moment of solving or stopping alone; 0..=1.
    TrajectoryMoment,
    /// Its component of parsing and raising alone; 0..=1.
    TrajectoryStatus,
    /// The share of turns that hold a program; 0..=1.
    Wellformed,
}

impl RewardName {
    /// Every reward, in the order of the documentation.
    pub const ALL: [RewardName; 9] = [
        RewardName::PublishedStep,
        RewardName::CorrectedStep,
        RewardName::Trajectory,
        RewardName::TrajectoryGrades,
        RewardName::TrajectoryOutcomes,
        RewardName::TrajectorySteps,
        RewardName::TrajectoryMoment,
        RewardName::TrajectoryStatus,
        RewardName::Wellformed,
    ];

    /// The name used in YAML and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            RewardName::PublishedStep => "published_step",
            RewardName::CorrectedStep => "corrected_step",
            RewardName::Trajectory => "trajectory",
            RewardName::TrajectoryGrades => "trajectory_grades",
            RewardName::TrajectoryOutcomes => "trajectory_outcomes",
            RewardName::TrajectorySteps => "trajectory_steps",
            RewardName::TrajectoryMoment => "trajectory_moment",
            RewardName::TrajectoryStatus => "trajectory_status",
            RewardName::Wellformed => "wellformed",
        }
    }

    /// The lowest and the highest value.
    pub fn range(self) -> (f64, f64) {
        match self {
            RewardName::PublishedStep => (-0.75, 2.0),
            RewardName::CorrectedStep => (-1.0, 1.0),
            _ => (0.0, 1.0),
        }
    }
}

impl fmt::Display for RewardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RewardName {
    type Err = String;

    /// Parses the YAML name; the error lists the names there are.
    fn from_str(text: &str) -> Result<Self, String> {
        RewardName::ALL.into_iter().find(|name| name.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = RewardName::ALL.iter().map(|name| name.as_str()).collect();
            format!("no reward is called `{text}`; there are: {}", names.join(", "))
        })
    }
}

/// A total and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct RewardBreakdown {
    /// `Σ weight · value`.
    pub total: f64,
    /// Each reward's unweighted value under its name, then its parts as `name.part`; in the order asked for.
    pub components: Vec<(String, f64)>,
}

/// Refuses an empty list, a weight that is not finite, and a reward named twice.
pub fn check(rewards: &[(RewardName, f64)]) -> Result<(), RewardError> {
    if rewards.is_empty() {
        return Err(RewardError::NoRewards);
    }
    for (index, (name, weight)) in rewards.iter().enumerate() {
        if !weight.is_finite() {
            return Err(RewardError::BadWeight { name: name.to_string(), weight: *weight });
        }
        if rewards.iter().take(index).any(|(earlier, _)| earlier == name) {
            return Err(RewardError::Repeated { name: name.to_string() });
        }
    }
    Ok(())
}

/// The weighted sum of `rewards` for one rollout. A rollout with no turn beside a real one earns the lowest value of
/// a step reward.
pub fn compose(rewards: &[(RewardName, f64)], input: &RewardInput) -> RewardBreakdown {
    let steps = step_inputs(input);
    let whole = trajectory(input);
    let mut breakdown = RewardBreakdown { total: 0.0, components: Vec::new() };
    for (name, weight) in rewards {
        let (value, parts) = match name {
            RewardName::PublishedStep => published_parts(&steps),
            RewardName::CorrectedStep => corrected_parts(&steps),
            RewardName::Trajectory => (
                whole.total,
                vec![
                    ("grades", whole.grades),
                    ("outcomes", whole.outcomes),
                    ("steps", whole.steps),
                    ("moment", whole.moment),
                    ("status", whole.status),
                    ("wellformed", whole.wellformed),
                ],
            ),
            RewardName::TrajectoryGrades => (whole.grades, Vec::new()),
            RewardName::TrajectoryOutcomes => (whole.outcomes, Vec::new()),
            RewardName::TrajectorySteps => (whole.steps, Vec::new()),
            RewardName::TrajectoryMoment => (whole.moment, Vec::new()),
            RewardName::TrajectoryStatus => (whole.status, Vec::new()),
            RewardName::Wellformed => (whole.wellformed, Vec::new()),
        };
        breakdown.total += weight * value;
        breakdown.components.push((name.to_string(), value));
        breakdown.components.extend(parts.into_iter().map(|(part, value)| (format!("{name}.{part}"), value)));
    }
    breakdown
}

/// The value of a step reward at each turn that has a real counterpart; `None` for rewards of whole trajectories.
pub fn step_values(name: RewardName, input: &RewardInput) -> Option<Vec<f64>> {
    let steps = step_inputs(input);
    match name {
        RewardName::PublishedStep => Some(steps.iter().map(|step| published_step(step).total).collect()),
        RewardName::CorrectedStep => Some(steps.iter().map(|step| corrected_step(step).total).collect()),
        _ => None,
    }
}

type Parts = (f64, Vec<(&'static str, f64)>);

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1);
    values.sum::<f64>() / count as f64
}

fn published_parts(steps: &[StepInput]) -> Parts {
    if steps.is_empty() {
        return (RewardName::PublishedStep.range().0, Vec::new());
    }
    let all: Vec<_> = steps.iter().map(published_step).collect();
    let of = |part: fn(&crate::step::PublishedStep) -> f64| mean(all.iter().map(part));
    (of(|s| s.total), vec![("base", of(|s| s.base)), ("length", of(|s| s.length))])
}

fn corrected_parts(steps: &[StepInput]) -> Parts {
    if steps.is_empty() {
        return (RewardName::CorrectedStep.range().0, Vec::new());
    }
    let all: Vec<_> = steps.iter().map(corrected_step).collect();
    let of = |part: fn(&crate::step::CorrectedStep) -> f64| mean(all.iter().map(part));
    let parts = vec![
        ("outcomes", of(|s| s.outcomes)),
        ("grade", of(|s| s.grade)),
        ("status", of(|s| s.status)),
        ("edit", of(|s| s.edit)),
        ("copied", of(|s| if s.copied { 1.0 } else { 0.0 })),
        ("penalty", of(|s| s.penalty)),
        ("length", of(|s| s.length)),
    ];
    (of(|s| s.total), parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Start, StepView};

    fn view(program: &str, grade: f64) -> StepView<'_> {
        StepView {
            program: Some(program),
            parses: true,
            grade,
            passed: &[],
            tokens: 5,
            truncated: false,
            raised: false,
        }
    }

    #[test]
    fn names_round_trip() {
        for name in RewardName::ALL {
            assert_eq!(name.as_str().parse(), Ok(name));
            assert_eq!(format!("{name:?}").to_lowercase(), name.as_str().replace('_', ""));
        }
        assert!("trajectry".parse::<RewardName>().unwrap_err().contains("trajectory_grades"));
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
}

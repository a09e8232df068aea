//! Rewards by name, weighted, with the breakdown that is logged.
//!
//! A run's YAML names rewards and weights; [`compose`] adds `weight · value` and lists every component so that each
//! can be plotted. Weights are not normalised: the total is the plain weighted sum. [`compose_group`] does so for the rollouts of
//! one start together, which the energy score needs; [`compose`] is that of a group of one.

use crate::RewardError;
use crate::group::{GroupReward, group_rewards};
pub use crate::registry::RewardName;
use crate::step::{StepInput, corrected_step, published_step, published_step_printed, step_inputs};
use crate::trajectory::{Trajectory, trajectory};
pub use crate::view::RewardInput;
use crate::{curve, ending, turns};

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

/// The weighted sum of `rewards` for one rollout alone. A rollout with no turn beside a real one earns the lowest value of
/// a step reward.
pub fn compose(rewards: &[(RewardName, f64)], input: &RewardInput) -> RewardBreakdown {
    let group = group(rewards, std::slice::from_ref(input));
    one(rewards, input, group.first())
}

/// The weighted sums of `rewards` for the rollouts of one group, in their order. All inputs have the same start, student and limits.
pub fn compose_group(rewards: &[(RewardName, f64)], inputs: &[RewardInput]) -> Vec<RewardBreakdown> {
    let group = group(rewards, inputs);
    inputs.iter().enumerate().map(|(index, input)| one(rewards, input, group.get(index))).collect()
}

/// What the group's objective is worth, for comparing policies: the mean total, the energy reward counted as the energy score
/// (`closeness - sameness / 2`), of which it is the gradient. `None` of an empty group.
pub fn group_worth(rewards: &[(RewardName, f64)], breakdowns: &[RewardBreakdown]) -> Option<f64> {
    let energy: f64 = rewards.iter().filter(|(name, _)| name.of_group()).map(|(_, weight)| weight).sum();
    let worth = |breakdown: &RewardBreakdown| {
        let sameness = breakdown.components.iter().find(|(name, _)| name == "energy.sameness");
        breakdown.total + 0.5 * energy * sameness.map_or(0.0, |(_, value)| *value)
    };
    let sum: f64 = breakdowns.iter().map(worth).sum();
    (!breakdowns.is_empty()).then(|| sum / breakdowns.len() as f64)
}

fn group(rewards: &[(RewardName, f64)], inputs: &[RewardInput]) -> Vec<GroupReward> {
    let Some(first) = inputs.first().filter(|_| rewards.iter().any(|(name, _)| name.of_group())) else {
        return Vec::new();
    };
    let rollouts: Vec<_> = inputs.iter().map(|input| input.rollout).collect();
    group_rewards(first.start, &rollouts, first.student, first.max_turns)
}

fn one(rewards: &[(RewardName, f64)], input: &RewardInput, group: Option<&GroupReward>) -> RewardBreakdown {
    let steps = step_inputs(input);
    let whole = trajectory(input);
    let mut breakdown = RewardBreakdown { total: 0.0, components: Vec::new() };
    for (name, weight) in rewards {
        let (value, parts) = value(*name, input, &steps, &whole, group);
        breakdown.total += weight * value;
        breakdown.components.push((name.to_string(), value));
        breakdown.components.extend(parts.into_iter().map(|(part, value)| (format!("{name}.{part}"), value)));
    }
    breakdown
}

fn value(
    name: RewardName,
    input: &RewardInput,
    steps: &[StepInput],
    whole: &Trajectory,
    group: Option<&GroupReward>,
) -> Parts {
    let alone = |value: f64| (value, Vec::new());
    match name {
        RewardName::PublishedStep => published_parts(steps, name, published_step),
        RewardName::PublishedStepPrinted => published_parts(steps, name, published_step_printed),
        RewardName::CorrectedStep => corrected_parts(steps),
        RewardName::Trajectory => {
            let parts = vec![
                ("grades", whole.grades),
                ("outcomes", whole.outcomes),
                ("steps", whole.steps),
                ("moment", whole.moment),
                ("status", whole.status),
                ("wellformed", whole.wellformed),
            ];
            (whole.total, parts)
        }
        RewardName::TrajectoryGrades => alone(whole.grades),
        RewardName::TrajectoryOutcomes => alone(whole.outcomes),
        RewardName::TrajectorySteps => alone(whole.steps),
        RewardName::TrajectoryMoment => alone(whole.moment),
        RewardName::TrajectoryStatus => alone(whole.status),
        RewardName::CurveArea => alone(curve::area(input)),
        RewardName::CurveWarping => alone(curve::grade_warping(input)),
        RewardName::OutcomeWarping => alone(curve::outcome_warping(input)),
        RewardName::Ending => alone(ending::ending(input)),
        RewardName::EditKind => alone(turns::edit_kinds(input)),
        RewardName::EditPlace => alone(turns::edit_places(input)),
        RewardName::ProgramTokens => alone(turns::program_tokens(input)),
        RewardName::ProgramTree => alone(turns::program_tree(input)),
        RewardName::ProgramCodebleu => alone(turns::program_codebleu(input)),
        RewardName::Wellformed => alone(whole.wellformed),
        RewardName::Length => alone(turns::length(input)),
        RewardName::Novelty => alone(turns::novelty(input)),
        RewardName::Energy => {
            let of = group.copied().unwrap_or(GroupReward { closeness: 0.0, sameness: 0.0, total: 0.0 });
            (of.total, vec![("closeness", of.closeness), ("sameness", of.sameness)])
        }
    }
}

/// The value of a step reward at each turn that has a real counterpart; `None` for rewards of whole trajectories.
pub fn step_values(name: RewardName, input: &RewardInput) -> Option<Vec<f64>> {
    let steps = step_inputs(input);
    match name {
        RewardName::PublishedStep => Some(steps.iter().map(|step| published_step(step).total).collect()),
        RewardName::PublishedStepPrinted => Some(steps.iter().map(|step| published_step_printed(step).total).collect()),
        RewardName::CorrectedStep => Some(steps.iter().map(|step| corrected_step(step).total).collect()),
        _ => None,
    }
}

type Parts = (f64, Vec<(&'static str, f64)>);

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1);
    values.sum::<f64>() / count as f64
}

fn published_parts(steps: &[StepInput], name: RewardName, step: fn(&StepInput) -> crate::step::PublishedStep) -> Parts {
    if steps.is_empty() {
        return (name.range().0, Vec::new());
    }
    let all: Vec<_> = steps.iter().map(step).collect();
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
mod tests;

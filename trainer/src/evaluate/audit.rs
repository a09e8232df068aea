//! Red team: what do policies that play for the reward earn, beside those that play as students do?
//!
//! Scripts ([`Script`]) play from points in real trajectories, are graded in the sandbox, and are scored by the whole configured reward, the overlong
//! penalty included, in groups of as many as training has. No model is needed. What is compared is what a policy is *worth*, the mean
//! over points of the reward's objective (`novice_rewards::compose::group_worth`: for the energy reward, the energy score).
//!
//! The bar for exploits is the lower of two: what the oracle (the student's own continuation) is worth, and what the median real student is
//! worth: at each point, other students' continuations from the submissions nearest to the start, the median of their rewards, and over
//! points the mean. For rewards of groups it is what those continuations are worth as one group. An exploit above the bar fails the audit.
//!
//! Points where there is no other student are left out (if there is none anywhere, the oracle alone is the bar). A script that cannot play from
//! a point is compared over the others. Over fewer than 20 points chance decides, and nothing fails.

use super::Point;
use super::script::Script;
use super::scripted::Stage;
use crate::config::DapoSettings;
use crate::random;
use crate::rollout::{Beside, Rollout, overlong, worth};
use crate::traces::{Dataset, Trajectory};
use novice_sandbox::{Course, Pool};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Points that are played from.
const POINTS: usize = 120;
/// Points that scripts are played from which use up the limits of the sandbox.
const SLOW_POINTS: usize = 20;
/// Over fewer points nothing is said to fail.
const FEWEST_POINTS: usize = 20;
/// Real continuations that the median is taken of.
const NEIGHBOURS: usize = 5;

/// What one policy is worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditLine {
    /// The script, or `median_student`.
    pub policy: &'static str,
    /// The mean worth.
    pub worth: f64,
    /// What an exploit may not be worth more than, over the points that this policy could play from.
    pub bar: f64,
    /// Points that it could play from.
    pub points: usize,
    /// Whether it is an exploit worth more than the bar.
    pub fails: bool,
}

/// The result of an audit: all policies, the honest ones first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RewardAudit {
    /// One line a policy.
    pub lines: Vec<AuditLine>,
}

impl RewardAudit {
    /// The exploits that are worth more than the bar.
    pub fn failures(&self) -> Vec<&'static str> {
        self.lines.iter().filter(|line| line.fails).map(|line| line.policy).collect()
    }

    /// A table for people.
    pub fn render(&self) -> String {
        let mut text = format!("| {:<16} | {:>8} | {:>8} | {:>6} |         |\n", "policy", "worth", "bar", "points");
        let rule = "-".repeat(7);
        let _ = writeln!(text, "| {} | {rule}: | {rule}: | -----: | ------- |", "-".repeat(16));
        for line in &self.lines {
            let AuditLine { policy, worth, bar, points, fails } = line;
            let mark = if *fails { "exploit" } else { "" };
            let _ = writeln!(text, "| {policy:<16} | {worth:>8.4} | {bar:>8.4} | {points:>6} | {mark:<7} |");
        }
        text
    }
}

/// Audits the rewards of `settings` on the training data; `None` as [`Played::new`].
pub fn audit(
    settings: &DapoSettings,
    course: &Course,
    pool: &Pool,
    dataset: &Dataset,
    seed: u64,
    progress: &dyn Fn(usize, usize),
) -> Option<RewardAudit> {
    let stage = Stage::new(course, pool, &dataset.train, seed, settings.turns, settings.max_new_tokens);
    Some(Played::new(&stage, &dataset.train, seed, settings.group_size, progress)?.audit(settings))
}

/// Scripts that have played; any number of rewards can be audited on them.
pub struct Played<'a> {
    points: Vec<Point<'a>>,
    /// At each point, the continuations of the nearest other students; all empty where there are no others.
    students: Vec<Vec<Rollout>>,
    /// For each script, for each sample, a rollout from each of the first points.
    scripts: Vec<(Script, Vec<Vec<Option<Rollout>>>)>,
}

impl<'a> Played<'a> {
    /// Plays every script. `None` when no trajectory has two submissions: there is nothing to play from.
    pub fn new(
        stage: &Stage,
        train: &'a [Trajectory],
        seed: u64,
        group_size: usize,
        progress: &dyn Fn(usize, usize),
    ) -> Option<Self> {
        let points = points(stage, train, seed);
        if points.is_empty() {
            return None;
        }
        let students = points.iter().map(|point| stage.neighbours(point, NEIGHBOURS)).collect();
        let mut scripts = Vec::new();
        for (done, script) in Script::ALL.into_iter().enumerate() {
            // Most scripts always do the same; and one that uses up the sandbox's limits costs seconds a problem.
            let samples = if script.varies() { group_size } else { 1 };
            let from = points.len().min(if script.is_slow() { SLOW_POINTS } else { POINTS });
            let from = points.get(..from).unwrap_or(&points);
            scripts.push((script, (0..samples).map(|sample| stage.play(script, from, sample)).collect()));
            progress(done + 1, Script::ALL.len());
        }
        Some(Played { points, students, scripts })
    }

    /// What every policy is worth under the rewards of `settings`.
    pub fn audit(&self, settings: &DapoSettings) -> RewardAudit {
        let grouped = settings.rewards.iter().any(|reward| reward.name.of_group());
        let medians: Vec<Option<f64>> = self
            .points
            .iter()
            .zip(&self.students)
            .map(|(point, real)| {
                if real.is_empty() {
                    return None;
                }
                if grouped {
                    return Some(value(point, &real.iter().collect::<Vec<_>>(), settings));
                }
                Some(middle(real.iter().map(|rollout| value(point, &[rollout], settings)).collect()))
            })
            .collect();
        let worths: Vec<(Script, Vec<Option<f64>>)> =
            self.scripts.iter().map(|(script, played)| (*script, self.worths(played, settings, grouped))).collect();
        let oracles = worths.iter().find(|(script, _)| *script == Script::Oracle).map(|(_, worths)| worths.as_slice());
        let mut lines: Vec<AuditLine> = worths
            .iter()
            .map(|(script, worths)| {
                let there = |at: &usize| worths.get(*at).is_some_and(Option::is_some);
                let points: Vec<usize> = (0..worths.len()).filter(there).collect();
                let over = |values: &dyn Fn(usize) -> Option<f64>| mean(points.iter().filter_map(|at| values(*at)));
                let oracle = over(&|at| oracles?.get(at).copied().flatten());
                let known = medians.iter().any(Option::is_some);
                let median = if known { over(&|at| medians.get(at).copied().flatten()) } else { oracle };
                let bar = oracle.min(median);
                let worth = over(&|at| worths.get(at).copied().flatten());
                let fails = !script.honest() && points.len() >= FEWEST_POINTS && worth > bar;
                AuditLine { policy: script.as_str(), worth, bar, points: points.len(), fails }
            })
            .collect();
        let known: Vec<f64> = medians.into_iter().flatten().collect();
        let (worth, points) = (mean(known.iter().copied()), known.len());
        let bar = lines.first().map_or(worth, |line| line.bar);
        let median = AuditLine { policy: "median_student", worth, bar, points, fails: false };
        lines.insert(1.min(lines.len()), median);
        RewardAudit { lines }
    }

    /// What a script is worth at each point that it was played from.
    fn worths(&self, played: &[Vec<Option<Rollout>>], settings: &DapoSettings, grouped: bool) -> Vec<Option<f64>> {
        let from = played.first().map_or(0, Vec::len);
        let at = |(index, point): (usize, &Point)| {
            let rollouts: Vec<&Rollout> = played.iter().filter_map(|sample| sample.get(index)?.as_ref()).collect();
            // A script that always does the same is a group of copies.
            let group = match rollouts.as_slice() {
                [only] if grouped => vec![*only; settings.group_size],
                _ => rollouts,
            };
            (!group.is_empty()).then(|| value(point, &group, settings))
        };
        self.points.iter().enumerate().take(from).map(at).collect()
    }
}

/// What rollouts from a point are worth, the overlong penalty included.
fn value(point: &Point, rollouts: &[&Rollout], settings: &DapoSettings) -> f64 {
    let beside = Beside {
        trajectory: point.trajectory,
        position: point.position,
        turns: settings.turns,
        max_new_tokens: settings.max_new_tokens,
    };
    let overlong = mean(rollouts.iter().map(|rollout| overlong(rollout, settings)));
    worth(beside, rollouts, &settings.rewards) + settings.overlong_weight * overlong
}

/// The points of an audit: drawn from all that have another student (or from all, if none has), in a fixed order.
fn points<'a>(stage: &Stage, train: &'a [Trajectory], seed: u64) -> Vec<Point<'a>> {
    let all: Vec<Point> = train
        .iter()
        .flat_map(|trajectory| {
            (1..trajectory.steps.len()).map(move |position| Point { trajectory, cell: "", position })
        })
        .collect();
    let order = random::permutation(seed, "audit", 0, all.len()).into_iter();
    let drawn: Vec<Point> = order.filter_map(|index| all.get(index).copied()).collect();
    let others = |point: &&Point| !stage.neighbours(point, 1).is_empty();
    let mut among: Vec<Point> = drawn.iter().filter(others).take(POINTS).copied().collect();
    if among.is_empty() {
        among.extend(drawn.into_iter().take(POINTS));
    }
    // The most frequent problems first: the first points, which slow scripts are played from, are then of few problems.
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for point in &among {
        *counts.entry(&point.trajectory.problem).or_default() += 1;
    }
    let rank = |point: &Point<'a>| {
        let problem = point.trajectory.problem.as_str();
        (std::cmp::Reverse(counts.get(problem).copied().unwrap_or(0)), problem)
    };
    among.sort_by_key(rank);
    among
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    sum / count.max(1) as f64
}

/// The median; of an even number, the mean of the middle two.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    let (low, high) = (values.get(half.saturating_sub(usize::from(values.len().is_multiple_of(2)))), values.get(half));
    match (low, high) {
        (Some(low), Some(high)) => (low + high) / 2.0,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WeightedReward;
    use crate::traces::testing::{course, pool, trajectory};
    use novice_rewards::RewardName;

    #[test]
    fn medians() {
        assert_eq!(middle(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(middle(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(middle(vec![]), 0.0);
    }

    /// Three students who linger at half marks, and three who go up and down, each with programs of another shape.
    fn dataset() -> Dataset {
        let grades: [&[f64]; 6] = [
            &[50.0; 6],
            &[50.0; 6],
            &[50.0; 6],
            &[50.0, 0.0, 50.0, 0.0, 100.0],
            &[50.0, 50.0, 0.0, 0.0, 50.0, 0.0],
            &[0.0, 50.0, 0.0, 100.0],
        ];
        let train: Vec<Trajectory> = (grades.iter().enumerate())
            .map(|(student, grades)| {
                let code = |turn: usize| format!("{}z = {turn}\n", "y = 0\n".repeat(student));
                let codes: Vec<String> = (0..grades.len()).map(code).collect();
                let steps: Vec<(&str, f64)> = codes.iter().map(String::as_str).zip(grades.iter().copied()).collect();
                trajectory(&format!("s{student}"), "p", &steps)
            })
            .collect();
        let statistics = crate::traces::Statistics::of(&train, &[]);
        Dataset { train, held_out: Vec::new(), audit: Default::default(), statistics }
    }

    fn audited(name: RewardName) -> RewardAudit {
        let course = course(&[("p", "", "")]);
        let settings = DapoSettings { rewards: vec![WeightedReward { name, weight: 1.0 }], ..DapoSettings::default() };
        audit(&settings, &course, pool(), &dataset(), 7, &|_, _| {}).unwrap()
    }

    #[test]
    fn the_published_reward_pays_for_copies_and_the_default_does_not() {
        let published = audited(RewardName::PublishedStep);
        assert!(published.failures().contains(&"copy"), "{}", published.render());
        let default = DapoSettings::default().rewards[0].name;
        let energy = audited(default);
        assert!(energy.failures().is_empty(), "{}", energy.render());
        let oracle = &energy.lines[0];
        assert!(oracle.policy == "oracle" && (oracle.worth - 0.5).abs() < 1e-12, "{}", energy.render());
    }
}

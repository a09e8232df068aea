//! `novice rewards`: the rewards there are, an audit of those that a configuration names, and saved rollouts under other rewards.

use super::ConfigArgs;
use crate::config::{DapoSettings, Run, WeightedReward};
use crate::error::Error;
use crate::evaluate::{AuditLine, Played, RewardAudit, Stage, audit};
use crate::monitor::Counter;
use crate::rollout::{Beside, Rollout, SavedRollout, read_rollouts, score};
use crate::traces::{Dataset, Trajectory};
use crate::workshop::open_data;
use clap::{Args, Subcommand};
use novice_rewards::RewardName;
use novice_rewards::registry::ENTRIES;
use novice_sandbox::{Course, Pool};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Rewards {
    #[command(subcommand)]
    command: RewardsCommand,
}

#[derive(Debug, Subcommand)]
enum RewardsCommand {
    /// Name, range, formula and source of every reward.
    List(List),
    /// Play scripted policies through the rewards of a configuration; exit status 1 if an exploit is worth more than a student.
    Audit(AuditArgs),
    /// Score the saved rollouts of a run by other rewards, without a model.
    Replay(Replay),
}

impl Rewards {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self.command {
            RewardsCommand::List(c) => c.run(),
            RewardsCommand::Audit(c) => c.run(),
            RewardsCommand::Replay(c) => c.run(),
        }
    }
}

#[derive(Debug, Args)]
struct List {
    /// JSON instead of text.
    #[arg(long)]
    json: bool,
}

impl List {
    fn run(self) -> anyhow::Result<()> {
        if self.json {
            let rows: Vec<_> = ENTRIES
                .iter()
                .map(
                    |e| serde_json::json!({"name": e.text, "range": e.range, "formula": e.formula, "source": e.source}),
                )
                .collect();
            println!("{:#}", serde_json::Value::from(rows));
            return Ok(());
        }
        for entry in &ENTRIES {
            let (low, high) = entry.range;
            println!("{}  [{low}, {high}]\n    {}\n    {}", entry.text, entry.formula, entry.source);
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
struct AuditArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Audit every reward on its own instead of those that are configured together; one table, no verdict.
    #[arg(long, conflicts_with = "json")]
    each: bool,
}

impl AuditArgs {
    fn run(self) -> anyhow::Result<()> {
        let run = self.config.load()?;
        let (course, pool, _, dataset) = open_data(&run)?;
        if self.each {
            return each(&run, &course, &pool, &dataset);
        }
        let found = audited(&run, &course, &pool, &dataset).ok_or_else(nothing_to_compare)?;
        if self.json {
            println!("{}", serde_json::to_string_pretty(&found)?);
        } else {
            print!("{}", found.render());
        }
        Ok(passed(&found)?)
    }
}

/// A table of policies by rewards. An exploit that a reward pays too well is marked.
fn each(run: &Run, course: &Course, pool: &Pool, dataset: &Dataset) -> anyhow::Result<()> {
    let d = &run.dapo;
    let stage = Stage::new(course, pool, &dataset.train, run.seed, d.turns, d.max_new_tokens);
    let progress = Counter::new("playing", "script", None);
    let told = |done, total| progress.set(done, total);
    let played = Played::new(&stage, &dataset.train, run.seed, d.group_size, &told).ok_or_else(nothing_to_compare)?;
    progress.finish();
    let audits: Vec<(RewardName, RewardAudit)> = RewardName::all()
        .map(|name| {
            let rewards = vec![WeightedReward { name, weight: 1.0 }];
            (name, played.audit(&DapoSettings { rewards, ..d.clone() }))
        })
        .collect();
    let policies: Vec<&str> = audits.first().iter().flat_map(|(_, a)| &a.lines).map(|line| line.policy).collect();
    println!("| reward | {} |", policies.join(" | "));
    println!("| --- |{}", " ---: |".repeat(policies.len()));
    for (name, audit) in &audits {
        let cell = |line: &AuditLine| format!("{:.3}{}", line.worth, if line.fails { " !" } else { "" });
        println!("| {name} | {} |", audit.lines.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
    println!("\n! an exploit that is worth more than the lower of the oracle and the median student");
    Ok(())
}

/// Why a reward cannot be audited.
pub(super) const NOTHING_TO_COMPARE: &str = "no training trajectory has two submissions";

fn nothing_to_compare() -> Error {
    Error::Failed(format!("a reward cannot be audited on these data: {NOTHING_TO_COMPARE}"))
}

/// The audit of a run's rewards, with a progress bar; `None` when there is [`NOTHING_TO_COMPARE`].
pub(super) fn audited(run: &Run, course: &Course, pool: &Pool, dataset: &Dataset) -> Option<RewardAudit> {
    let progress = Counter::new("auditing the rewards", "script", None);
    let found = audit(&run.dapo, course, pool, dataset, run.seed, &|done, total| progress.set(done, total));
    progress.finish();
    found
}

/// Refuses rewards that failed.
pub(super) fn passed(found: &RewardAudit) -> crate::Result<()> {
    let failures = found.failures();
    if failures.is_empty() {
        return Ok(());
    }
    Err(Error::Failed(format!(
        "the rewards pay for {}: worth more than a real student's work; change `dapo.rewards` (`novice rewards list`), \
         or set `dapo.audit: false` to train on them all the same",
        failures.join(", ")
    )))
}

#[derive(Debug, Args)]
struct Replay {
    /// A run's folder.
    run: PathBuf,
    /// Change a field, such as `dapo.rewards=[{name: energy, weight: 1.0}]`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The rollouts, if not those of training; such as the run's `evaluation/rollouts.jsonl`.
    #[arg(long)]
    rollouts: Option<PathBuf>,
    /// A line of JSON a rollout instead of a table.
    #[arg(long)]
    json: bool,
}

/// The rollouts of one start of one step.
type Group = Vec<SavedRollout>;

impl Replay {
    fn run(self) -> anyhow::Result<()> {
        let run = super::load_run(&self.run, &self.set)?;
        let path = self.rollouts.unwrap_or_else(|| run.folder().join("rollouts.jsonl"));
        let saved = read_rollouts(&path)?;
        let (_, _, _, dataset) = open_data(&run)?;
        let all = dataset.train.iter().chain(dataset.held_out.iter().map(|h| &h.trajectory));
        let trajectories: BTreeMap<(&str, &str), &Trajectory> =
            all.map(|t| ((t.student.as_str(), t.problem.as_str()), t)).collect();
        let mut table = Table::default();
        for group in groups(saved) {
            let Some(first) = group.first() else { continue };
            let Some(trajectory) = trajectories.get(&(first.student.as_str(), first.problem.as_str())) else {
                let (student, problem) = (&first.student, &first.problem);
                let message = format!("{}: the data have no trajectory of `{student}` on `{problem}`", path.display());
                return Err(Error::Usage(message).into());
            };
            let rollouts: Vec<&Rollout> = group.iter().map(|saved| &saved.rollout).collect();
            let longest = rollouts.iter().map(|rollout| rollout.turns.len()).max().unwrap_or(0);
            let beside = Beside {
                trajectory,
                position: first.start,
                turns: run.dapo.turns.max(longest),
                max_new_tokens: run.dapo.max_new_tokens,
            };
            let scored = score(beside, &rollouts, &run.dapo.rewards);
            for (saved, scored) in group.iter().zip(&scored) {
                if self.json {
                    let rewards: BTreeMap<_, _> = scored.components.iter().cloned().collect();
                    println!(
                        "{}",
                        serde_json::json!({"step": saved.step, "policy": saved.policy, "student": saved.student, "problem": saved.problem,
                            "start": saved.start, "sample": saved.sample, "was": saved.reward, "reward": scored.total, "rewards": rewards})
                    );
                }
            }
            table.add(&group, &scored.iter().map(|s| s.total).collect::<Vec<_>>());
        }
        if !self.json {
            print!("{}", table.render());
        }
        Ok(())
    }
}

/// Rollouts by step, policy and start, in the order of the file.
fn groups(saved: Vec<SavedRollout>) -> Vec<Group> {
    let mut places: BTreeMap<(u64, Option<String>, String, String, usize), usize> = BTreeMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for rollout in saved {
        let key =
            (rollout.step, rollout.policy.clone(), rollout.student.clone(), rollout.problem.clone(), rollout.start);
        // The same start may be drawn twice in a step: a sample number that was there begins another group.
        let place = places.get(&key).copied().filter(|&at| {
            groups.get(at).is_some_and(|group: &Group| group.iter().all(|other| other.sample != rollout.sample))
        });
        match place.and_then(|at| groups.get_mut(at)) {
            Some(group) => group.push(rollout),
            None => {
                places.insert(key, groups.len());
                groups.push(vec![rollout]);
            }
        }
    }
    groups
}

/// Sums of one step (or policy).
#[derive(Default)]
struct Sums {
    rollouts: f64,
    was: f64,
    now: f64,
    groups: f64,
    told_apart_before: f64,
    told_apart_now: f64,
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<(u64, Option<String>), Sums>,
}

impl Table {
    fn add(&mut self, group: &[SavedRollout], now: &[f64]) {
        let Some(first) = group.first() else { return };
        let sums = self.rows.entry((first.step, first.policy.clone())).or_default();
        let was: Vec<f64> = group.iter().map(|saved| saved.reward).collect();
        sums.rollouts += group.len() as f64;
        sums.was += was.iter().sum::<f64>();
        sums.now += now.iter().sum::<f64>();
        sums.groups += 1.0;
        sums.told_apart_before += f64::from(u8::from(crate::objective::is_informative(&was)));
        sums.told_apart_now += f64::from(u8::from(crate::objective::is_informative(now)));
    }

    fn render(&self) -> String {
        let mut text = String::from(
            "| step | policy | rollouts | reward then | reward now | groups told apart then | now |\n| ---: | --- | ---: | ---: | ---: | ---: | ---: |\n",
        );
        for ((step, policy), s) in &self.rows {
            let (rollouts, groups) = (s.rollouts.max(1.0), s.groups.max(1.0));
            text += &format!(
                "| {step} | {} | {} | {:.4} | {:.4} | {:.2} | {:.2} |\n",
                policy.as_deref().unwrap_or("–"),
                s.rollouts,
                s.was / rollouts,
                s.now / rollouts,
                s.told_apart_before / groups,
                s.told_apart_now / groups,
            );
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_drawn_twice_in_a_step_is_two_groups() {
        let saved = |sample: usize, start: usize| SavedRollout {
            step: 1,
            policy: None,
            student: "s".into(),
            problem: "p".into(),
            start,
            sample,
            reward: sample as f64,
            rollout: Rollout::default(),
        };
        let groups = groups(vec![saved(0, 1), saved(1, 1), saved(0, 2), saved(0, 1), saved(1, 1)]);
        let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 2]);
        let mut table = Table::default();
        for group in &groups {
            table.add(group, &vec![1.0; group.len()]);
        }
        assert!(table.render().contains("| 1 | – | 5 | 0.4000 | 1.0000 | 0.67 | 0.00 |"), "{}", table.render());
    }
}

//! `novice evaluate`: every model of a run, the baselines and remote models, beside held-out students.

use super::train::models;
use crate::checkpoint::{Existing, RunDir, RunFacts, Versions};
use crate::config::{Run, WeightedReward};
use crate::error::Error;
use crate::evaluate::{Counted, Policy, REAL_STUDENT, Record, Results, Script, Stage, half, points, roll_out, tallies};
use crate::files::write_atomic;
use crate::monitor::Counter;
use crate::remote::Remote;
use crate::rollout::{RolloutLine, StudentLine, score};
use crate::traces::Trajectory;
use crate::workshop::{Workshop, model_folder};
use clap::Args;
use novice_rewards::RewardName;
use novice_rewards::metrics::diversity::Memory;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// A run's folder, or the configuration that it was made with.
    run: PathBuf,
    /// Change a field, such as `evaluate.max_trajectories=20`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Roll out this policy only, such as `SFT` or the name of a remote model; may be given many times.
    #[arg(long, value_name = "POLICY")]
    only: Vec<String>,
    /// Also write what was counted of each student (`tallies.json`), which `novice ablate` pools over seeds.
    #[arg(long)]
    tallies: bool,
}

/// A line of `evaluation/rollouts.jsonl`.
#[derive(Serialize)]
struct PolicyLine<'a> {
    policy: &'a str,
    split: &'a str,
    #[serde(flatten)]
    line: RolloutLine<'a>,
}

impl Evaluate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let run = super::load_run(&self.run, &self.set)?;
        super::use_threads(&run);
        let folder = run.folder();
        let models = models(&run);
        let remotes = &run.evaluate.remote;
        let remotes_alone = run.stages.is_empty() && !remotes.is_empty();
        if models.is_empty() && !remotes_alone {
            let advice = format!(
                "{}: there is no trained model here; run `novice train` first, or say `stages: []` to evaluate the models \
                 of `evaluate.remote` alone",
                folder.display()
            );
            return Err(Error::Usage(advice).into());
        }
        let known: Vec<&str> =
            models.iter().map(|(label, _)| label.as_str()).chain(remotes.iter().map(|r| r.name.as_str())).collect();
        if let Some(taken) =
            remotes.iter().find(|r| Script::ALL.iter().any(|s| s.as_str().eq_ignore_ascii_case(&r.name)))
        {
            let message = format!("evaluate.remote: `{}` is a baseline's name; choose another", taken.name);
            return Err(Error::Usage(message).into());
        }
        let workshop = Workshop::open(&run, Some(&model_folder(&folder, "tokenizer").join("tokenizer.json")))?;
        if remotes_alone && !folder.exists() {
            let (yaml, versions) = (run.to_yaml()?, Versions::current(Some(workshop.guest.clone())));
            let facts = RunFacts { config_yaml: &yaml, seed: run.seed, versions: &versions };
            RunDir::open(&run.output, &run.name, Existing::Refuse, &facts)?;
        }
        let points = points(&run, &workshop.dataset.held_out);
        if points.is_empty() {
            return Err(Error::Failed("no held-out trajectory has two submissions; see `novice traces`".into()).into());
        }
        let dataset = &workshop.dataset;
        let train = stage(&workshop, dataset.train.iter().collect());
        let held_out = dataset.held_out.iter().map(|h| &h.trajectory);
        let (one, other): (Vec<_>, Vec<_>) = held_out.partition(|t| half(run.seed, &t.student) == 0);
        let halves = [stage(&workshop, one), stage(&workshop, other)];
        let mut policies: Vec<(String, Vec<Record>)> = Vec::new();
        let mut evaluate = |label: String, policy: Policy| -> anyhow::Result<()> {
            if !self.only.is_empty() && !self.only.contains(&label) {
                return Ok(());
            }
            let progress = Counter::new(&format!("evaluating {label}"), "start", Some(points.len() as u64));
            let records = roll_out(&workshop, &policy, &points, &|done| progress.set(done, points.len()))?;
            progress.finish();
            policies.push((label, records));
            Ok(())
        };
        if run.evaluate.baselines {
            for script in Script::BASELINES {
                evaluate(script.label(), Policy::Script(script, &train))?;
            }
            evaluate(REAL_STUDENT.into(), Policy::Real([&halves[0], &halves[1]]))?;
        } else {
            evaluate(Script::Copy.label(), Policy::Script(Script::Copy, &train))?;
        }
        for (label, path) in models.iter().filter(|(label, _)| self.only.is_empty() || self.only.contains(label)) {
            evaluate(label.clone(), Policy::Model(&workshop.load_model(path)?))?;
        }
        let out = folder.join("evaluation");
        for settings in remotes.iter().filter(|r| self.only.is_empty() || self.only.contains(&r.name)) {
            let remote = Remote::open(settings, &run, &out.join("remote"))?;
            let evaluated = evaluate(settings.name.clone(), Policy::Remote(&remote));
            let usage = remote.usage();
            eprintln!("{}", usage.render());
            let path = out.join("remote").join(format!("{}.usage.json", settings.name));
            write_atomic(path, &serde_json::to_vec_pretty(&usage)?)?;
            evaluated?;
        }
        if policies.is_empty() {
            let message = format!("--only: no such policy; the models here are {}", known.join(", "));
            return Err(Error::Usage(message).into());
        }
        let reference = reference(&run, &models, &policies)?;
        let programs = dataset.train.iter().flat_map(|t| &t.steps).map(|step| step.code.as_str());
        let memory = Memory::new(programs);
        let results = Results::of(&policies, &run.evaluate, Some(&reference), run.seed, &memory);
        let by_closeness = [WeightedReward { name: RewardName::Trajectory, weight: 1.0 }];
        let mut lines = Vec::new();
        for (policy, records) in &policies {
            for Record { point, sample, rollout } in records {
                let scored = score(point.beside(run.evaluate.horizon), &[rollout], &by_closeness);
                let total = scored.first().map_or(0.0, |s| s.total);
                let line = RolloutLine::new(point.trajectory, point.position, *sample, rollout, total, scored.first());
                serde_json::to_writer(&mut lines, &PolicyLine { policy, split: point.cell, line })?;
                lines.push(b'\n');
            }
        }
        let mut students = Vec::new();
        let mut told = BTreeSet::new();
        for point in points.iter().filter(|p| told.insert((&p.trajectory.student, &p.trajectory.problem))) {
            serde_json::to_writer(&mut students, &StudentLine::new(point.trajectory))?;
            students.push(b'\n');
        }
        std::fs::create_dir_all(&out).map_err(Error::io("create", &out))?;
        write_atomic(out.join("table.md"), results.markdown().as_bytes())?;
        write_atomic(out.join("table.csv"), results.csv().as_bytes())?;
        write_atomic(out.join("table.tex"), results.latex().as_bytes())?;
        write_atomic(out.join("table.json"), &serde_json::to_vec_pretty(&results)?)?;
        if self.tallies {
            let counted = |records: &Vec<Record>| -> Counted {
                let cells: BTreeSet<&str> = records.iter().map(|r| r.point.cell).collect();
                let of = |cell: &str| tallies(records, cell, run.evaluate.horizon, &memory);
                let named = |cell: &str| of(cell).into_iter().map(|(student, t)| (student.to_string(), t)).collect();
                cells.into_iter().map(|cell| (cell.to_string(), named(cell))).collect()
            };
            let all: BTreeMap<&str, Counted> =
                policies.iter().map(|(p, records)| (p.as_str(), counted(records))).collect();
            write_atomic(out.join("tallies.json"), &serde_json::to_vec(&all)?)?;
        }
        write_atomic(out.join("rollouts.jsonl"), &lines)?;
        write_atomic(out.join("students.jsonl"), &students)?;
        print!("{}", results.markdown());
        eprintln!("written: {}", out.display());
        Ok(())
    }
}

/// Scripts with these other students.
fn stage<'a>(workshop: &'a Workshop, others: Vec<&'a Trajectory>) -> Stage<'a> {
    let Workshop { course, pool, run, .. } = workshop;
    Stage::new(course, pool, others, run.seed, run.evaluate.horizon, run.evaluate.max_new_tokens)
}

/// The policy that others are compared with: the configured one, or the first trained model, or the untrained one.
fn reference(run: &Run, models: &[(String, PathBuf)], policies: &[(String, Vec<Record>)]) -> Result<String, Error> {
    let known: Vec<&str> = policies.iter().map(|(label, _)| label.as_str()).collect();
    match &run.evaluate.reference {
        Some(label) if known.contains(&label.as_str()) => Ok(label.clone()),
        Some(label) => Err(Error::Usage(format!(
            "evaluate.reference: there is no policy `{label}`; there are: {}",
            known.join(", ")
        ))),
        None if policies.iter().all(|(policy, _)| models.iter().all(|(label, _)| label != policy)) => {
            Ok(known.first().map(|label| label.to_string()).unwrap_or_default())
        }
        None => Ok(models.get(1).or(models.first()).map(|(label, _)| label.clone()).unwrap_or_default()),
    }
}

//! The table of an ablation (Markdown, CSV, LaTeX, JSON) and TensorBoard's page HParams, of what the evaluations counted.

use super::unit::Plan;
use crate::error::{Error, Result};
use crate::evaluate::{Counted, Results, results_of_arms};
use crate::files::write_atomic;
use crate::monitor::{Session, write_sessions};
use novice_rewards::metrics::statistics::STATISTICS;
use novice_rewards::metrics::tally::Tally;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;

/// An arm in the table's JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct ArmLine {
    name: String,
    changes: BTreeMap<String, Value>,
    /// Seeds that were evaluated.
    seeds: Vec<u64>,
    /// The folder of each seed's evaluation, under `evaluations/`.
    evaluations: BTreeMap<u64, String>,
    /// Seeds that failed, and why.
    failed: BTreeMap<u64, String>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    arms: Vec<ArmLine>,
    results: Results,
    #[serde(skip)]
    sessions: Vec<Session>,
}

impl Outcome {
    /// Reads what the evaluations of a plan counted; `failed` says why units failed.
    ///
    /// # Errors
    /// When what an evaluation wrote cannot be read.
    pub fn read(plan: &Plan, failed: &BTreeMap<String, String>) -> Result<Outcome> {
        let mut lines: Vec<ArmLine> = Vec::new();
        let mut counted: Vec<(String, BTreeMap<u64, Counted>)> = Vec::new();
        let mut sessions = Vec::new();
        for run in &plan.runs {
            let name = &run.arm.name;
            if lines.last().is_none_or(|line| line.name != *name) {
                let changes = run.arm.changes.iter().cloned().collect();
                let (seeds, evaluations, failed) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
                lines.push(ArmLine { name: name.clone(), changes, seeds, evaluations, failed });
                counted.push((name.clone(), BTreeMap::new()));
            }
            let (Some(line), Some((_, seeds))) = (lines.last_mut(), counted.last_mut()) else { continue };
            if let Some(why) = failed.get(&run.evaluation) {
                line.failed.insert(run.seed, why.clone());
                continue;
            }
            let path = plan.folder.join("evaluations").join(&run.evaluation).join("evaluation/tallies.json");
            let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
            let mut all: BTreeMap<String, Counted> =
                serde_json::from_slice(&bytes).map_err(|e| Error::Failed(format!("{}: {e}", path.display())))?;
            let of_arm = all.remove(run.arm.policy()).unwrap_or_default();
            let mut settings = vec![("arm".to_string(), Value::from(name.as_str()))];
            settings.extend(run.arm.changes.iter().cloned());
            settings.push(("seed".into(), Value::from(run.seed)));
            sessions.push(Session {
                folder: format!("arm-{:02}/seed-{}", lines_so_far(&plan.runs, name), run.seed),
                group: format!("{name} seed {}", run.seed),
                settings,
                numbers: numbers(&of_arm),
            });
            line.seeds.push(run.seed);
            line.evaluations.insert(run.seed, run.evaluation.clone());
            seeds.insert(run.seed, of_arm);
        }
        let results = results_of_arms(&counted, &plan.run.evaluate, &plan.reference, plan.run.seed);
        Ok(Outcome { arms: lines, results, sessions })
    }

    /// The tables and what failed, for people.
    pub fn markdown(&self) -> String {
        let mut text = self.results.markdown();
        text.push_str("A policy is an arm; the seeds of an arm are pooled, student by student.\n");
        for arm in &self.arms {
            for (seed, why) in &arm.failed {
                let _ = writeln!(text, "failed: {} seed {seed}: {why}", arm.name);
            }
        }
        text
    }

    /// Whether an arm failed with some seed.
    pub fn failures(&self) -> usize {
        self.arms.iter().map(|arm| arm.failed.len()).sum()
    }

    /// Writes `table.{md,csv,tex,json}` and the folder `tensorboard`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, plan: &Plan) -> Result<()> {
        let file = |name: &str| plan.folder.join(name);
        write_atomic(file("table.md"), self.markdown().as_bytes())?;
        write_atomic(file("table.csv"), self.results.csv().as_bytes())?;
        write_atomic(file("table.tex"), self.results.latex().as_bytes())?;
        let json = serde_json::to_vec_pretty(self).map_err(|e| Error::Failed(format!("table.json: {e}")))?;
        write_atomic(file("table.json"), &json)?;
        write_sessions(&file("tensorboard"), &self.sessions)
    }
}

/// The place of an arm among the arms, from 1.
fn lines_so_far(runs: &[super::unit::ArmRun], name: &str) -> usize {
    let mut names: Vec<&str> = Vec::new();
    for run in runs {
        if !names.contains(&run.arm.name.as_str()) {
            names.push(&run.arm.name);
        }
    }
    names.iter().position(|other| *other == name).map_or(0, |at| at + 1)
}

/// The headline numbers of one arm and seed, by `cell/statistic`.
fn numbers(counted: &Counted) -> Vec<(String, f64)> {
    let mut numbers = Vec::new();
    for (cell, students) in counted {
        let Some(turns) = students.values().next().map(Tally::turns) else { continue };
        let mut sum = Tally::new(turns);
        students.values().for_each(|tally| sum.add(tally, 1.0));
        let headlines = STATISTICS.iter().filter(|s| s.headline);
        numbers.extend(headlines.filter_map(|s| Some((format!("{cell}/{}", s.name), (s.of)(&sum)?))));
    }
    numbers
}

//! `novice evaluate`: every model of a run and the baseline, beside held-out students.

use super::train::models;
use crate::error::Error;
use crate::evaluate::{Policy, Record, Table, points, roll_out, summarise};
use crate::files::write_atomic;
use crate::monitor::Counter;
use crate::rollout::RolloutLine;
use crate::workshop::{Workshop, model_folder};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Evaluate {
    /// A run's folder, or the configuration that it was made with.
    run: PathBuf,
    /// Change a field, such as `evaluate.max_trajectories=20`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
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
        if models.is_empty() {
            let advice = format!("{}: there is no trained model here; run `novice train` first", folder.display());
            return Err(Error::Usage(advice).into());
        }
        let workshop = Workshop::open(&run, Some(&model_folder(&folder, "tokenizer").join("tokenizer.json")))?;
        let points = points(&run, &workshop.dataset.held_out);
        if points.is_empty() {
            return Err(Error::Failed("no held-out trajectory has two submissions; see `novice traces`".into()).into());
        }
        let cells: BTreeSet<&str> = points.iter().map(|p| p.cell).collect();
        let (mut table, mut lines) = (Table::default(), Vec::new());
        let mut evaluate = |label: &str, policy: Policy| -> anyhow::Result<()> {
            let progress = Counter::new(&format!("evaluating {label}"), "rollout", Some(points.len() as u64));
            let records = roll_out(&workshop, &policy, &points, &|done| progress.set(done, points.len()))?;
            progress.finish();
            for cell in &cells {
                table.rows.push(summarise(label, cell, &records, run.evaluate.horizon));
            }
            for record in &records {
                let Record { point, rollout, closeness } = record;
                let line = RolloutLine::new(point.trajectory, point.position, 0, rollout, *closeness);
                serde_json::to_writer(&mut lines, &PolicyLine { policy: label, split: point.cell, line })?;
                lines.push(b'\n');
            }
            Ok(())
        };
        evaluate("COPY", Policy::CopyPrevious)?;
        for (label, path) in &models {
            evaluate(label, Policy::Model(&workshop.load_model(path)?))?;
        }
        let out = folder.join("evaluation");
        std::fs::create_dir_all(&out).map_err(Error::io("create", &out))?;
        write_atomic(out.join("table.md"), table.markdown().as_bytes())?;
        write_atomic(out.join("table.csv"), table.csv().as_bytes())?;
        write_atomic(out.join("table.json"), &serde_json::to_vec_pretty(&table)?)?;
        write_atomic(out.join("rollouts.jsonl"), &lines)?;
        print!("{}", table.markdown());
        eprintln!("written: {}", out.display());
        Ok(())
    }
}

//! What has to be run, once each: stages, and evaluations of what the last stage made.
//!
//! A stage is named by the hash of all that determines it: its own settings and those that all stages share (data, dialogue,
//! tokenizer, model, sandbox, seed), the bytes of the course and the logs, and the name of the stage before it. So arms that differ in
//! a later stage share the earlier ones, and whatever is there already is not run again. How many threads compute is not part of
//! the name: sums of floats may differ in their last bits between numbers of threads.
//!
//! A stage starts from the model folder of the one before; adapters are folded in there, and the next stage begins with new ones.

use super::matrix::{Arm, Matrix};
use crate::config::{Run, StageName};
use crate::error::{Error, Result};
use novice_rewards::metrics::tally::Tally;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Writes down the model that a run begins with.
    Begin,
    /// Trains a stage.
    Train(StageName),
    /// Rolls the model out beside held-out students.
    Evaluate,
}

impl Work {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Work::Begin => "begin",
            Work::Train(stage) => stage.as_str(),
            Work::Evaluate => "evaluate",
        }
    }
}

/// One thing to run.
#[derive(Debug, Clone)]
pub struct Unit {
    /// The hash of what determines it: its folder.
    pub id: String,
    /// What it does.
    pub work: Work,
    /// Its seed.
    pub seed: u64,
    /// Its configuration: a run of its own.
    pub run: Run,
    /// The policy that an evaluation rolls out, by its name in the evaluation's table; empty for what trains.
    pub policy: String,
    /// The unit that must be there before.
    pub after: Option<String>,
    /// The arms that need it.
    pub arms: Vec<String>,
}

/// An arm with one seed.
#[derive(Debug, Clone)]
pub struct ArmRun {
    /// The arm.
    pub arm: Arm,
    /// The seed.
    pub seed: u64,
    /// The unit that evaluates it.
    pub evaluation: String,
}

/// All units, each after what it needs, and the arms.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// The folder of the ablation.
    pub folder: PathBuf,
    /// What to run.
    pub units: Vec<Unit>,
    /// Arms × seeds, arm by arm.
    pub runs: Vec<ArmRun>,
    /// The arm that others are compared with.
    pub reference: String,
    /// The evaluation's settings of the first arm: intervals are made by them.
    pub run: Run,
}

impl Plan {
    /// The plan of a matrix called `name`. `more` are changes from the command line.
    ///
    /// # Errors
    /// What is wrong with the configuration of an arm; files that cannot be read.
    pub fn new(matrix: &Matrix, name: &str, more: &[String]) -> Result<Plan> {
        let arms = matrix.expand().map_err(Error::Config)?;
        let mut plan = Plan { reference: matrix.reference(&arms), ..Plan::default() };
        let mut hashes = BTreeMap::new();
        for arm in &arms {
            for &seed in &matrix.seeds {
                let run = matrix.configure(arm, seed, more)?;
                if plan.runs.is_empty() {
                    let output = std::path::absolute(&run.output).map_err(Error::io("find", &run.output))?;
                    plan.folder = output.join("ablations").join(name);
                    plan.run = run.clone();
                }
                let evaluation = plan.add(arm, &run, &mut hashes)?;
                plan.runs.push(ArmRun { arm: arm.clone(), seed, evaluation });
            }
        }
        Ok(plan)
    }

    /// Adds the units of an arm; gives back the one that evaluates it.
    fn add(&mut self, arm: &Arm, run: &Run, hashes: &mut BTreeMap<PathBuf, String>) -> Result<String> {
        let mut data = Vec::new();
        for path in [Some(&run.data.course), run.data.traces.as_ref()].into_iter().flatten() {
            if !hashes.contains_key(path) {
                hashes.insert(path.clone(), content(path)?);
            }
            data.push(hashes.get(path).cloned());
        }
        let data = json!(data);
        let mut works: Vec<Work> = run.stages.iter().map(|stage| Work::Train(*stage)).collect();
        if works.is_empty() && run.model.path.is_none() {
            works.push(Work::Begin);
        }
        works.push(Work::Evaluate);
        let mut before: Option<(String, PathBuf)> = None;
        for work in works {
            let mut unit = run.clone();
            // Threads are divided among the units that run at a time.
            (unit.threads, unit.sandbox.threads) = (0, 0);
            unit.stages = if let Work::Train(stage) = work { vec![stage] } else { Vec::new() };
            let folder = if work == Work::Evaluate { "evaluations" } else { "stages" };
            unit.output = self.folder.join(folder);
            if let Some((_, model)) = &before {
                (unit.model.path, unit.model.adapter, unit.tokenizer.path) = (Some(model.clone()), None, None);
            }
            if work == Work::Evaluate {
                unit.evaluate.reference = None;
            }
            let after = before.as_ref().map(|(id, _)| id.clone());
            let policy = if work == Work::Evaluate { arm.policy().to_string() } else { String::new() };
            let id = identity(work, &unit, &policy, after.as_deref(), &data)?;
            unit.name = id.clone();
            let made = if work == Work::Begin { "base" } else { work.as_str() };
            before = Some((id.clone(), unit.output.join(&id).join("models").join(made)));
            match self.units.iter_mut().find(|u| u.id == id) {
                Some(shared) if shared.arms.contains(&arm.name) => {}
                Some(shared) => shared.arms.push(arm.name.clone()),
                None => {
                    let (seed, arms) = (run.seed, vec![arm.name.clone()]);
                    self.units.push(Unit { id, work, seed, run: unit, policy, after, arms });
                }
            }
        }
        Ok(before.map(|(id, _)| id).unwrap_or_default())
    }

    /// What will be run, for people.
    pub fn render(&self) -> String {
        let stages = self.units.iter().filter(|u| u.work != Work::Evaluate).count();
        let uses: usize = self.units.iter().filter(|u| u.work != Work::Evaluate).map(|u| u.arms.len()).sum();
        let mut text = String::new();
        for unit in &self.units {
            let after = unit.after.as_deref().map(|id| format!(" after {id}")).unwrap_or_default();
            let arms = unit.arms.join(", ");
            text += &format!("{:<8} {} seed {}{after}: {arms}\n", unit.work.as_str(), unit.id, unit.seed);
        }
        text += &format!(
            "{} arms and seeds, compared with `{}`; {stages} stages to train ({uses} if none were shared), {} evaluations; in {}\n",
            self.runs.len(),
            self.reference,
            self.units.len() - stages,
            self.folder.display()
        );
        text
    }
}

/// The hash of all that determines a unit, as 16 hexadecimal digits.
fn identity(work: Work, run: &Run, policy: &str, after: Option<&str>, data: &Value) -> Result<String> {
    let mut config =
        serde_json::to_value(run).map_err(|e| Error::Failed(format!("cannot write the configuration down: {e}")))?;
    if let Some(fields) = config.as_object_mut() {
        for field in ["name", "threads", "output", "stages", "monitor", "sft", "dpo", "dapo", "evaluate"] {
            if field != work.as_str() {
                fields.shift_remove(field);
            }
        }
    }
    let mut without = |section: &str, names: &[&str]| {
        for name in names {
            if let Some(fields) = config.get_mut(section).and_then(Value::as_object_mut) {
                fields.shift_remove(*name);
            }
        }
    };
    without("sandbox", &["threads", "keep_reports"]);
    // Where the files lie is nothing to what they hold, which is hashed.
    without("data", &["course", "traces"]);
    without("evaluate", &["resamples", "confidence", "reference", "baselines", "remote"]);
    if after.is_some() {
        without("model", &["path", "adapter", "init"]);
    }
    let mut all =
        vec![json!(env!("CARGO_PKG_VERSION")), json!(work.as_str()), json!(policy), json!(after), data.clone(), config];
    if work == Work::Evaluate {
        // What an older version counted is counted anew.
        all.push(json!(Tally::new(run.evaluate.horizon).width()));
    }
    let all = Value::from(all).to_string();
    Ok(blake3::hash(all.as_bytes()).to_hex().chars().take(16).collect())
}

/// The hash of a file, or of a folder's files with their names.
fn content(path: &Path) -> Result<String> {
    if !path.is_dir() {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        return Ok(blake3::hash(&bytes).to_hex().to_string());
    }
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(path).map_err(Error::io("list", path))? {
        let entry = entry.map_err(Error::io("list", path))?;
        inside.push((entry.file_name().to_string_lossy().into_owned(), content(&entry.path())?));
    }
    inside.sort();
    Ok(blake3::hash(json!(inside).to_string().as_bytes()).to_hex().to_string())
}

//! `novice simulate`: watch a simulated learner work, turn by turn.

use super::train::models;
use crate::config::Sampling;
use crate::error::Error;
use crate::generate::RngKey;
use crate::monitor::render_conversation;
use crate::traces::Trajectory;
use crate::workshop::{Workshop, model_folder};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// A run's folder, or the configuration that it was made with.
    run: PathBuf,
    /// The problem to work on.
    #[arg(long)]
    problem: String,
    /// Go on where this student of the data made the first submission; without it, from the problem alone.
    #[arg(long)]
    student: Option<String>,
    /// Learners.
    #[arg(short, default_value_t = 1)]
    n: usize,
    /// Which model: `base`, `sft`, `dpo`, `dapo`; the last one trained when absent.
    #[arg(long)]
    stage: Option<String>,
    /// Draw tokens at this temperature; 0 is greedy.
    #[arg(long, default_value_t = 1.0)]
    temperature: f64,
    /// Seed of the draws; the run's own when absent.
    #[arg(long)]
    seed: Option<u64>,
    /// Change a field of the run's configuration; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl Simulate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let run = super::load_run(&self.run, &self.set)?;
        super::use_threads(&run);
        let folder = run.folder();
        let models = models(&run);
        let wanted = self.stage.as_deref().map(str::to_uppercase);
        let found = match &wanted {
            Some(stage) => models.iter().find(|(label, _)| label == stage),
            None => models.last(),
        };
        let Some((label, path)) = found else {
            let known: Vec<&str> = models.iter().map(|(l, _)| l.as_str()).collect();
            let message = format!("{}: no such model; there are: {}", folder.display(), known.join(", "));
            return Err(Error::Usage(message).into());
        };
        let workshop = Workshop::open(&run, Some(&model_folder(&folder, "tokenizer").join("tokenizer.json")))?;
        let model = workshop.load_model(path)?;
        let trajectory = self.trajectory(&workshop)?;
        let position = usize::from(self.student.is_some());
        let settings = &run.evaluate;
        let sampling = Sampling { temperature: self.temperature, ..settings.sampling };
        let classroom = workshop.classroom(&model, settings.horizon, settings.max_new_tokens, sampling);
        let key = RngKey { seed: self.seed.unwrap_or(run.seed), ..RngKey::default() };
        let start = workshop.start(&trajectory, position, key)?.ok_or_else(|| {
            Error::Usage("the problem does not fit into `dialogue.max_tokens`; set a larger one".to_string())
        })?;
        for (i, rollout) in classroom.run(&[start], self.n, &|_, _| {})?.groups.into_iter().flatten().enumerate() {
            let turns = workshop.told(&trajectory, position, &rollout)?;
            let turns: Vec<(&str, &str)> = turns.iter().map(|(r, t)| (r.name(), t.as_str())).collect();
            println!("learner {} of {} · model {label}", i + 1, self.n);
            println!("{}", render_conversation(&turns));
        }
        Ok(())
    }

    /// The student's trajectory, or an empty one on the problem.
    fn trajectory(&self, workshop: &Workshop) -> anyhow::Result<Trajectory> {
        workshop.problem(&self.problem)?;
        let Some(student) = &self.student else {
            let (student, problem) = ("simulated".into(), self.problem.clone());
            return Ok(Trajectory { student, problem, steps: Vec::new(), cut: false });
        };
        let all = workshop.dataset.train.iter().chain(workshop.dataset.held_out.iter().map(|h| &h.trajectory));
        let found = all.into_iter().find(|t| t.student == *student && t.problem == self.problem);
        let missing = || {
            let problem = &self.problem;
            Error::Usage(format!(
                "student `{student}` has no trajectory on `{problem}` after the filters; see `novice traces`"
            ))
        };
        Ok(found.cloned().ok_or_else(missing)?)
    }
}

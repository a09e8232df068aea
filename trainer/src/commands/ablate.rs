//! `novice ablate`: the arms of a matrix, trained, evaluated and compared.

use crate::ablate::{Matrix, Outcome, Plan, run};
use crate::error::Error;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Ablate {
    /// The matrix (YAML): a base configuration, axes or named arms, seeds.
    matrix: PathBuf,
    /// Change a field of all arms, such as `sft.epochs=1`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Stages and evaluations run at a time; the threads are divided among them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Print what will be run, and run nothing.
    #[arg(long)]
    plan: bool,
}

impl Ablate {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let matrix = Matrix::load(&self.matrix)?;
        let name = self.matrix.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let plan = Plan::new(&matrix, &name, &self.set)?;
        if self.plan {
            print!("{}", plan.render());
            return Ok(());
        }
        eprint!("{}", plan.render());
        let failed = run(&plan, usize::from(self.jobs))?;
        let outcome = Outcome::read(&plan, &failed)?;
        outcome.write(&plan)?;
        print!("{}", outcome.markdown());
        eprintln!("written: {}", plan.folder.display());
        match outcome.failures() {
            0 => Ok(()),
            n => Err(Error::Failed(format!(
                "{n} of {} arms and seeds failed; the same command tries them again and keeps the rest",
                plan.runs.len()
            ))
            .into()),
        }
    }
}

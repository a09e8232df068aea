//! One file a subcommand, thin. Data goes to stdout, everything else to stderr.

mod ablate;
mod doctor;
mod evaluate;
mod grade;
mod report;
mod rewards;
mod simulate;
mod traces;
mod train;

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Trains language models to program as real learners do.
#[derive(Debug, Parser)]
#[command(name = "novice", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Say more (-v, -vv).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the stages of a configuration: SFT, DPO, DAPO.
    Train(train::Train),
    /// Roll out the models of a run beside real, held-out students; print and write the tables.
    Evaluate(evaluate::Evaluate),
    /// Train and evaluate the arms of a matrix of settings, each with several seeds; one table of all.
    Ablate(ablate::Ablate),
    /// Write one page about runs: tables, charts, configuration, rollouts; it opens from disk.
    Report(report::Report),
    /// Watch a simulated learner work, turn by turn.
    Simulate(simulate::Simulate),
    /// Grade submissions: JSON lines in, JSON lines out.
    Grade(grade::Grade),
    /// List the rewards, audit those of a configuration, score saved rollouts by others.
    Rewards(rewards::Rewards),
    /// Check what is installed, test the sandbox and libtorch, and say what to do about what is missing.
    Doctor(doctor::Doctor),
    /// Read, filter and split submission logs; print statistics and what was dropped.
    Traces(traces::Traces),
}

impl Cli {
    /// Whether the command calls libtorch.
    pub const fn uses_libtorch(&self) -> bool {
        !matches!(self.command, Command::Grade(_) | Command::Report(_) | Command::Rewards(_) | Command::Traces(_))
    }

    /// Runs the command.
    ///
    /// # Errors
    /// Whatever went wrong; [`crate::Error::exit_code`] gives the exit status.
    pub fn run(self) -> anyhow::Result<()> {
        crate::monitor::init_logging(self.verbose)?;
        match self.command {
            Command::Train(c) => c.run(),
            Command::Evaluate(c) => c.run(),
            Command::Ablate(c) => c.run(),
            Command::Report(c) => c.run(),
            Command::Simulate(c) => c.run(),
            Command::Grade(c) => c.run(),
            Command::Rewards(c) => c.run(),
            Command::Doctor(c) => c.run(),
            Command::Traces(c) => c.run(),
        }
    }
}

/// A configuration file and changes to it.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The run's configuration (YAML).
    config: PathBuf,
    /// Change a field, such as `sft.epochs=2`; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ConfigArgs {
    fn load(&self) -> crate::Result<crate::config::Run> {
        crate::config::Run::load(&self.config, &self.set)
    }
}

/// The configuration of a run: from its folder's `config.yaml`, or from the configuration file that it was made with.
fn load_run(path: &std::path::Path, set: &[String]) -> crate::Result<crate::config::Run> {
    use crate::checkpoint::RunDir;
    if path.is_dir() {
        if !RunDir::is_run(path) {
            let message = format!("{}: this is not a run's folder; `novice train` makes one", path.display());
            return Err(crate::Error::Usage(message));
        }
        let mut run = crate::config::Run::load(&path.join("config.yaml"), set)?;
        // The folder may have been moved since.
        let (parent, name) = (path.parent(), path.file_name());
        run.output = parent.map_or_else(PathBuf::new, std::path::Path::to_path_buf);
        run.name = name.map(|n| n.to_string_lossy().into_owned()).unwrap_or(run.name);
        return Ok(run);
    }
    crate::config::Run::load(path, set)
}

/// Sets libtorch's threads.
fn use_threads(run: &crate::config::Run) {
    tch::set_num_threads(crate::workshop::threads(run.threads) as i32);
}

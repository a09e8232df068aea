//! `novice train`: runs the stages of a configuration.

use super::ConfigArgs;
use super::rewards::{NOTHING_TO_COMPARE, audited, passed};
use crate::checkpoint::{CheckpointStore, Existing, Interrupt, RunDir, RunFacts, Versions};
use crate::config::{Run, StageName};
use crate::monitor::{Monitor, MonitorOptions, ResumeAt};
use crate::stage::{self, Trainee};
use crate::workshop::{Workshop, model_folder};
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Train {
    #[command(flatten)]
    config: ConfigArgs,
    /// Go on with a run that was stopped.
    #[arg(long, conflicts_with = "force")]
    resume: bool,
    /// Remove a run of the same name and start anew.
    #[arg(long)]
    force: bool,
    /// Read everything, say what would be done, write nothing.
    #[arg(long)]
    dry_run: bool,
}

impl Train {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let run = self.config.load()?;
        super::use_threads(&run);
        let existing = match (self.resume, self.force) {
            (true, _) => Existing::Resume,
            (_, true) => Existing::Force,
            _ => Existing::Refuse,
        };
        let folder = run.folder();
        if existing == Existing::Refuse && !self.dry_run {
            // Said before minutes of reading, not after.
            RunDir::check_free(&run.output, &run.name)?;
        }
        let saved = self.resume.then(|| model_folder(&folder, "tokenizer").join("tokenizer.json"));
        let workshop = Workshop::open(&run, saved.as_deref())?;
        let model = workshop.base_model()?;
        eprintln!("{}", workshop.dataset.statistics.render());
        eprintln!("{}", stage::plan(&run, &workshop, &model)?);
        if self.dry_run {
            eprintln!("dry run: nothing was written; the run's folder would be {}", folder.display());
            return Ok(());
        }
        if run.dapo.audit && !self.resume && run.stages.contains(&StageName::Dapo) {
            match audited(&run, &workshop.course, &workshop.pool, &workshop.dataset) {
                Some(found) => {
                    eprintln!("rewards, played by scripts (`novice rewards audit`):\n{}", found.render());
                    passed(&found)?;
                }
                None => eprintln!("rewards: not audited, {NOTHING_TO_COMPARE}"),
            }
        }
        let versions = Versions::current(Some(workshop.guest.clone()));
        let yaml = run.to_yaml()?;
        let facts = RunFacts { config_yaml: &yaml, seed: run.seed, versions: &versions };
        let dir = RunDir::open(&run.output, &run.name, existing, &facts)?;
        workshop.save_tokenizer(&model_folder(dir.path(), "tokenizer"))?;
        if run.model.path.is_none() && !model_folder(dir.path(), "base").exists() {
            workshop.save_model(&model, &model_folder(dir.path(), "base"))?;
        }
        let checkpoints = CheckpointStore::new(dir.path());
        let resume = match (dir.resumed(), checkpoints.latest()?) {
            (false, _) => None,
            (true, None) => Some(ResumeAt::start()),
            (true, Some(c)) => Some(ResumeAt::new(&run.stages, c.position.stage_index, c.position.step)),
        };
        let options = MonitorOptions { tensorboard: run.monitor.tensorboard, ..MonitorOptions::default() };
        let mut monitor = Monitor::open(dir.path(), &options, resume)?;
        let interrupt = Interrupt::install()?;
        let trainee = Trainee {
            run: &run,
            workshop: &workshop,
            model: &model,
            dir: &dir,
            checkpoints: &checkpoints,
            interrupt: &interrupt,
        };
        stage::run(&trainee, &mut monitor)?;
        eprintln!("done: {}; next: novice evaluate {}", folder.display(), folder.display());
        Ok(())
    }
}

/// The stages of a run whose models are there, in order, as (label, folder); BASE first.
pub(super) fn models(run: &Run) -> Vec<(String, std::path::PathBuf)> {
    let folder = run.folder();
    let base = run.model.path.clone().unwrap_or_else(|| model_folder(&folder, "base"));
    let stages = run.stages.iter().map(|s| (s.as_str().to_uppercase(), model_folder(&folder, s.as_str())));
    std::iter::once(("BASE".to_string(), base)).chain(stages).filter(|(_, p)| p.join("config.json").exists()).collect()
}

//! The stages. Each of `sft`, `dpo`, `dapo` says what its trees and its loss are; `drive` is the loop that all three
//! share: schedule, optimiser step, metrics, held-out evaluation, checkpoints, interruption, resume.

mod dapo;
mod dpo;
mod drive;
mod plan;
mod sft;

use crate::checkpoint::{CheckpointStore, Interrupt, RunDir};
use crate::config::{Run, StageName};
use crate::error::Result;
use crate::forest;
use crate::model::Model;
use crate::monitor::Monitor;
use crate::workshop::Workshop;
use drive::Stage;

pub use plan::plan;

/// What a stage works with.
pub struct Trainee<'a> {
    /// The run's configuration.
    pub run: &'a Run,
    /// Data, tokenizer, sandbox.
    pub workshop: &'a Workshop,
    /// The model; stages change its weights in place.
    pub model: &'a Model,
    /// The run's folder.
    pub dir: &'a RunDir,
    /// Its checkpoints.
    pub checkpoints: &'a CheckpointStore,
    /// Set when the user asked to stop.
    pub interrupt: &'a Interrupt,
}

impl Trainee<'_> {
    /// How passes are computed, but for what a stage adds.
    fn passes(&self) -> forest::Options {
        forest::Options { recompute: self.run.model.recompute, ..forest::Options::default() }
    }
}

/// Runs the configured stages, from the last checkpoint where there is one, and saves a model folder after each.
///
/// # Errors
/// [`crate::Error::Interrupted`] when the user asked to stop (a checkpoint is there), else what failed.
pub fn run(at: &Trainee, monitor: &mut Monitor) -> Result<()> {
    let resume = at.checkpoints.latest()?;
    if let Some(checkpoint) = &resume {
        drive::restore_weights(at, checkpoint)?;
    }
    for (index, &name) in at.run.stages.iter().enumerate() {
        let (done, here) = match &resume {
            Some(c) if c.position.stage_index > index => continue,
            Some(c) if c.position.stage_index == index => (drive::finished(c), Some(c)),
            _ => (false, None),
        };
        if !done {
            let mut stage: Box<dyn Stage> = match name {
                StageName::Sft => Box::new(sft::Sft::prepare(at)?),
                StageName::Dpo => Box::new(dpo::Dpo::prepare(at)?),
                StageName::Dapo => Box::new(dapo::Dapo::prepare(at)?),
            };
            drive::drive(at, monitor, index, stage.as_mut(), here)?;
        }
        at.workshop.save_model(at.model, &at.dir.join("models").join(name.as_str()))?;
    }
    Ok(())
}

//! The stages. Each of [`sft`], [`dpo`], [`dapo`] says what its trees and its loss are; [`drive`] is the loop that all
//! three share: schedule, optimiser step, metrics, held-out evaluation, checkpoints, interruption, resume.

mod dapo;
mod dpo;
mod drive;
mod order;
mod sft;

use crate::checkpoint::{Interrupt, RunDir};
use crate::config::{Run, StageName};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::monitor::Monitor;
use crate::workshop::Workshop;

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
    /// Metrics, progress.
    pub monitor: &'a Monitor,
    /// Set when the user asked to stop.
    pub interrupt: &'a Interrupt,
}

/// Runs the configured stages, from the last checkpoint where there is one, and saves a model folder after each.
///
/// # Errors
/// [`Error::Interrupted`] when the user asked to stop (a checkpoint is there), else what failed.
pub fn run(trainee: &Trainee) -> Result<()> {
    for &name in &trainee.run.stages {
        if trainee.dir.model(name.as_str()).exists() && trainee.dir.finished(name.as_str())? {
            // Its weights are in the newest checkpoint, or in that of a later stage.
            continue;
        }
        match name {
            StageName::Sft => drive::drive(trainee, &mut sft::Sft::prepare(trainee)?)?,
            StageName::Dpo => drive::drive(trainee, &mut dpo::Dpo::prepare(trainee)?)?,
            StageName::Dapo => drive::drive(trainee, &mut dapo::Dapo::prepare(trainee)?)?,
        }
    }
    Ok(())
}

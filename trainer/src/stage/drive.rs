//! The loop that the three stages share.
//!
//! A step is: gradients (the stage's business), one optimiser step, metrics; every so often a held-out evaluation and a
//! checkpoint. A checkpoint holds the trainable weights, the optimiser's moments and the stage's own state, so that a run
//! that was killed and resumed ends with the same bytes as one that was not.

use super::Trainee;
use crate::checkpoint::{Checkpoint, Position};
use crate::config::{OptimiserSettings, StageName};
use crate::error::{Error, Result};
use crate::monitor::{Monitor, StageMonitor};
use crate::optimiser::{AdamW, schedule};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::{Duration, Instant};
use tch::Tensor;

/// Steps with gradients that are not finite, in a row, after which a stage gives up.
const MAX_SKIPPED: usize = 20;

/// A run that is killed loses no more than this and a step, however long its steps take.
const LONGEST_UNSAVED: Duration = Duration::from_secs(600);

/// Named numbers of a step.
pub(super) type Named = Vec<(String, f64)>;

/// What became of an update, with its metrics.
pub(super) enum Update {
    /// Gradients are there: step.
    Apply(Named),
    /// There was nothing to learn from: leave the weights alone.
    Skip(Named),
}

/// What a stage adds to the loop.
pub(super) trait Stage {
    /// Its name.
    fn name(&self) -> StageName;
    /// Steps in all.
    fn steps(&self) -> usize;
    /// Optimiser steps a step.
    fn updates(&self) -> usize {
        1
    }
    /// Learning rate, schedule, clipping.
    fn optimiser(&self) -> &OptimiserSettings;
    /// Steps between two held-out evaluations; 0 for the end only.
    fn eval_every(&self) -> usize;
    /// Accumulates the gradients of one update and says what is worth logging.
    fn accumulate(&mut self, at: &Trainee, step: usize, update: usize, log: &mut StageMonitor) -> Result<Update>;
    /// The held-out metrics of the model as it is; names end up under `held_out/`.
    fn held_out(&mut self, at: &Trainee) -> Result<Named>;
    /// Where the last step's time went, in seconds, beside the whole.
    fn timings(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }
    /// What the stage has to remember beyond the step number.
    fn state(&self) -> Value {
        Value::Null
    }
    /// Takes back what [`Stage::state`] gave.
    fn restore(&mut self, _state: &Value) -> Result<()> {
        Ok(())
    }
}

/// A stage's part of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Saved {
    finished: bool,
    skipped: usize,
    stage: Value,
}

/// Whether a checkpoint says that its stage is over.
pub(super) fn finished(checkpoint: &Checkpoint) -> bool {
    checkpoint.state.get("finished").and_then(Value::as_bool).unwrap_or(false)
}

/// Runs `stage` from `resume` (a checkpoint of this very stage) or from its beginning.
pub(super) fn drive(
    at: &Trainee,
    monitor: &mut Monitor,
    index: usize,
    stage: &mut dyn Stage,
    resume: Option<&Checkpoint>,
) -> Result<()> {
    let (name, total, settings) = (stage.name().as_str(), stage.steps(), *stage.optimiser());
    let mut optimiser = AdamW::new(at.model.trainable(), &settings)?;
    let (mut step, mut skipped) = (0, 0);
    if let Some(checkpoint) = resume {
        let saved: Saved = serde_json::from_value(checkpoint.state.clone())
            .map_err(|e| Error::Failed(format!("the checkpoint of {name} cannot be used: {e}")))?;
        step = checkpoint.position.step as usize;
        skipped = saved.skipped;
        stage.restore(&saved.stage)?;
        let moments = checkpoint.tensors.iter().filter_map(|(n, t)| Some((n.strip_prefix(OPTIMISER)?, t)));
        let moments: Vec<(String, Tensor)> = moments.map(|(n, t)| (n.to_string(), t.shallow_clone())).collect();
        optimiser.load_state(&moments)?;
    }
    let mut log = monitor.stage(name, total as u64);
    if resume.is_none() {
        write(&mut log, 0, &held_out(stage, at)?)?;
    }
    let mut saved = Instant::now();
    while step < total {
        if at.interrupt.requested() {
            save(at, &mut log, index, stage, &optimiser, step, skipped)?;
            at.interrupt.check()?;
        }
        let started = Instant::now();
        let mut named = Named::new();
        for update in 0..stage.updates() {
            optimiser.zero_grad()?;
            named = match stage.accumulate(at, step, update, &mut log)? {
                Update::Apply(metrics) => metrics,
                Update::Skip(metrics) => {
                    named = metrics;
                    break;
                }
            };
            let updates = total * stage.updates();
            let rate = schedule(
                settings.schedule,
                settings.warmup_ratio,
                step * stage.updates() + update,
                updates,
                settings.learning_rate,
            );
            let info = optimiser.step(rate)?;
            skipped = if info.skipped { skipped + 1 } else { 0 };
            if skipped >= MAX_SKIPPED {
                return Err(Error::Failed(format!(
                    "{name}: the gradients of {MAX_SKIPPED} steps in a row were not finite; lower `{name}.optimiser.learning_rate`"
                )));
            }
            named.push(("learning_rate".into(), rate));
            named.push(("grad_norm".into(), info.grad_norm));
        }
        step += 1;
        let evaluate = step == total || stage.eval_every() > 0 && step % stage.eval_every() == 0;
        if evaluate {
            named.extend(held_out(stage, at)?);
        }
        write(&mut log, step, &named)?;
        let mut timings = vec![("seconds", started.elapsed().as_secs_f64())];
        timings.extend(stage.timings());
        log.timing(step as u64, &timings)?;
        if step < total && due(step, at.run.monitor.checkpoint_every, saved.elapsed()) {
            save(at, &mut log, index, stage, &optimiser, step, skipped)?;
            saved = Instant::now();
        }
    }
    save(at, &mut log, index, stage, &optimiser, step, skipped)?;
    log.finish();
    Ok(())
}

/// Whether a checkpoint is due after `step` steps, `unsaved` after the last one; never where there are to be none on the way.
fn due(step: usize, every: usize, unsaved: Duration) -> bool {
    every > 0 && (step.is_multiple_of(every) || unsaved >= LONGEST_UNSAVED)
}

/// Optimiser tensors stand in a checkpoint under this prefix, weights under [`WEIGHT`].
const OPTIMISER: &str = "optimiser.";
const WEIGHT: &str = "weight.";

fn held_out(stage: &mut dyn Stage, at: &Trainee) -> Result<Named> {
    Ok(stage.held_out(at)?.into_iter().map(|(name, value)| (format!("held_out/{name}"), value)).collect())
}

fn write(log: &mut StageMonitor, step: usize, named: &Named) -> Result<()> {
    let values: Vec<(&str, f64)> = named.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    log.step(step as u64, &values)
}

fn save(
    at: &Trainee,
    log: &mut StageMonitor,
    index: usize,
    stage: &dyn Stage,
    optimiser: &AdamW,
    step: usize,
    skipped: usize,
) -> Result<()> {
    let saved = Saved { finished: step >= stage.steps(), skipped, stage: stage.state() };
    let state = serde_json::to_value(saved).map_err(|e| Error::Failed(format!("checkpoint: {e}")))?;
    let weights = at.model.trainable().into_iter().map(|p| (format!("{WEIGHT}{}", p.name), p.tensor));
    let moments = optimiser.state().into_iter().map(|(n, t)| (format!("{OPTIMISER}{n}"), t));
    let tensors: Vec<(String, Tensor)> = weights.chain(moments).collect();
    let tensors: Vec<(&str, &Tensor)> = tensors.iter().map(|(n, t)| (n.as_str(), t)).collect();
    let position = Position { stage: stage.name().as_str().into(), stage_index: index, step: step as u64 };
    // What is logged so far must not be lost to a checkpoint that says it was.
    log.sync()?;
    at.checkpoints.save(&position, &state, &tensors)?;
    Ok(())
}

/// Puts the weights of a checkpoint into the model.
pub(super) fn restore_weights(at: &Trainee, checkpoint: &Checkpoint) -> Result<()> {
    for (name, tensor) in &checkpoint.tensors {
        if let Some(name) = name.strip_prefix(WEIGHT) {
            at.model.set_trainable(name, tensor)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_come_after_so_many_steps_or_minutes() {
        let (short, long) = (Duration::from_secs(599), Duration::from_secs(601));
        assert_eq!([24, 25, 26, 50].map(|step| due(step, 25, short)), [false, true, false, true]);
        assert!(due(1, 25, long));
        assert!(!due(25, 0, long));
    }
}

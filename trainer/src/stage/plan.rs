//! What a run would do, in a few lines: printed before it starts and by `--dry-run`.

use crate::config::{Run, StageName};
use crate::error::Result;
use crate::model::Model;
use crate::workshop::Workshop;
use std::fmt::Write;
use tch::Device;

/// The plan of a run as text.
///
/// # Errors
/// When a conversation cannot be tokenised.
pub fn plan(run: &Run, workshop: &Workshop, model: &Model) -> Result<String> {
    let mut text = String::new();
    let config = model.config();
    let trained: i64 = model.trainable().iter().map(|p| p.tensor.numel() as i64).sum();
    let _ = writeln!(
        text,
        "model: {} layers, {} wide, {} tokens, {:.2} M weights trained, {} on {}",
        config.num_hidden_layers,
        config.hidden_size,
        config.vocab_size,
        trained as f64 / 1e6,
        run.model.dtype,
        match model.device() {
            Device::Cpu => "the processor".to_string(),
            device => format!("{device:?}"),
        },
    );
    for stage in &run.stages {
        let line = match stage {
            StageName::Sft => sft(run, workshop)?,
            StageName::Dpo => dpo(workshop)?,
            StageName::Dapo => dapo(run),
        };
        let _ = writeln!(text, "{}: {line}", stage.as_str());
    }
    Ok(text.trim_end().to_string())
}

fn sft(run: &Run, workshop: &Workshop) -> Result<String> {
    let (mut trees, mut tokens, mut targets, mut too_long) = (0, 0, 0, 0);
    for trajectory in &workshop.dataset.train {
        let found = workshop.sft_trees(trajectory)?;
        too_long += found.too_long.len();
        for tree in found.trees {
            (trees, tokens, targets) = (trees + 1, tokens + tree.tree.len(), targets + tree.tree.targets());
        }
    }
    let epochs = run.sft.epochs;
    let steps = epochs * usize::div_ceil(trees, run.sft.batch_trajectories);
    let left_out = match too_long {
        0 => String::new(),
        n => format!("; {n} submissions are left out: too long for `dialogue.max_tokens`"),
    };
    Ok(format!(
        "{steps} steps over {trees} conversations of {tokens} tokens ({targets} targets), {epochs} epochs{left_out}"
    ))
}

fn dpo(workshop: &Workshop) -> Result<String> {
    let (mut pairs, mut tokens, mut too_long) = (0, 0, 0);
    for trajectory in &workshop.dataset.train {
        let found = workshop.pair_trees(trajectory)?;
        too_long += found.too_long.len();
        for tree in found.trees {
            (pairs, tokens) = (pairs + tree.pairs.len(), tokens + tree.tree.len());
        }
    }
    let run = &workshop.run.dpo;
    let left_out = match too_long {
        0 => String::new(),
        n => format!("; {n} pairs are left out: too long for `dialogue.max_tokens`"),
    };
    Ok(format!(
        "{pairs} pairs in {tokens} tokens, about {} a step, {} epochs, {} loss, β {}{left_out}",
        run.batch_pairs,
        run.epochs,
        run.loss.as_str(),
        run.beta
    ))
}

fn dapo(run: &Run) -> String {
    let d = &run.dapo;
    let rewards: Vec<String> = d.rewards.iter().map(|r| format!("{} × {}", r.weight, r.name)).collect();
    format!(
        "{} steps of {} groups of {} learners, up to {} submissions of {} tokens each; reward {}",
        d.steps,
        d.groups,
        d.group_size,
        d.turns,
        d.max_new_tokens,
        rewards.join(" + "),
    )
}

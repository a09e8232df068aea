//! SFT: every submission of a trajectory is a target, all of them in one pass over the conversation.
//!
//! Loss: −Σ log p(token) over the target tokens of the step, divided by their number. Targets are the assistant's tokens,
//! the stop token included. Does not support: sample packing across trajectories with attention between them (trees never
//! see each other), loss on prompts.

use super::Trainee;
use super::drive::{Named, Stage, Update};
use crate::config::{OptimiserSettings, SftSettings, StageName};
use crate::error::{Error, Result};
use crate::forest;
use crate::monitor::StageMonitor;
use crate::objective;
use crate::random;
use crate::tokens::FlatTree;
use crate::traces::Trajectory;

pub(super) struct Sft {
    settings: SftSettings,
    train: Vec<FlatTree>,
    held_out: Vec<FlatTree>,
    options: forest::Options,
    budget: usize,
    seed: u64,
}

impl Sft {
    pub fn prepare(at: &Trainee) -> Result<Self> {
        let settings = at.run.sft.clone();
        let data = &at.workshop.dataset;
        let train = trees(at, data.train.iter())?;
        let held_out = trees(at, data.held_out.iter().map(|h| &h.trajectory))?;
        if train.is_empty() {
            return Err(Error::Failed(
                "sft: no training trajectory is left after the filters; see `novice traces`".into(),
            ));
        }
        let options = at.passes();
        Ok(Sft { settings, train, held_out, options, budget: at.run.pack_tokens, seed: at.run.seed })
    }

    fn steps_per_epoch(&self) -> usize {
        self.train.len().div_ceil(self.settings.batch_trajectories)
    }
}

fn trees<'a>(at: &Trainee, all: impl Iterator<Item = &'a Trajectory>) -> Result<Vec<FlatTree>> {
    let mut trees = Vec::new();
    for trajectory in all {
        trees.extend(at.workshop.sft_trees(trajectory)?.trees.iter().map(|t| t.tree.flatten()));
    }
    trees.retain(|t| !t.edges.is_empty());
    Ok(trees)
}

impl Stage for Sft {
    fn name(&self) -> StageName {
        StageName::Sft
    }

    fn steps(&self) -> usize {
        self.settings.epochs * self.steps_per_epoch()
    }

    fn optimiser(&self) -> &OptimiserSettings {
        &self.settings.optimiser
    }

    fn eval_every(&self) -> usize {
        self.settings.eval_every
    }

    fn accumulate(&mut self, at: &Trainee, step: usize, _: usize, _: &mut StageMonitor) -> Result<Update> {
        let (epoch, within) = (step / self.steps_per_epoch(), step % self.steps_per_epoch());
        let order = random::permutation(self.seed, "sft order", epoch as u64, self.train.len());
        let batch: Vec<&FlatTree> = order
            .iter()
            .skip(within * self.settings.batch_trajectories)
            .take(self.settings.batch_trajectories)
            .map(|&i| &self.train[i])
            .collect();
        let targets: usize = batch.iter().map(|t| t.edges.len()).sum();
        let (mut loss, mut tokens) = (0.0, 0);
        for pack in forest::pack(&batch.iter().map(|t| t.tokens.len()).collect::<Vec<_>>(), self.budget) {
            let trees: Vec<&FlatTree> = pack.iter().map(|&i| batch[i]).collect();
            let counts: Vec<usize> = trees.iter().map(|t| t.edges.len()).collect();
            let weights = objective::sft_weights(&counts, targets as f64)?;
            let read = forest::backward_weighted(at.model, &trees, &weights, &self.options)?;
            loss -= read.iter().map(|t| objective::total(&t.log_probs)).sum::<f64>() / targets as f64;
            tokens += trees.iter().map(|t| t.tokens.len()).sum::<usize>();
        }
        Ok(Update::Apply(vec![
            ("loss".into(), loss),
            ("target_tokens".into(), targets as f64),
            ("tokens".into(), tokens as f64),
            ("epoch".into(), (step + 1) as f64 / self.steps_per_epoch() as f64),
        ]))
    }

    fn held_out(&mut self, at: &Trainee) -> Result<Named> {
        let trees: Vec<&FlatTree> = self.held_out.iter().collect();
        let (mut sum, mut targets) = (0.0, 0);
        for pack in forest::pack(&trees.iter().map(|t| t.tokens.len()).collect::<Vec<_>>(), self.budget) {
            let trees: Vec<&FlatTree> = pack.iter().map(|&i| trees[i]).collect();
            for read in forest::log_probs(at.model, &trees, &self.options)? {
                sum -= objective::total(&read.log_probs);
                targets += read.log_probs.len();
            }
        }
        Ok(if targets == 0 { Named::new() } else { vec![("loss".into(), sum / targets as f64)] })
    }
}

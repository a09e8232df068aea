//! DPO: what the student did next is preferred to what came later; all pairs of a trajectory lie in one tree.
//!
//! Rafailov et al. 2023, arXiv:2305.18290. The reference is the model that the stage starts from (the SFT model): its
//! log-probs are computed once, before the first step, and kept in the run's folder. Does not support: a reference
//! other than the starting model, pairs across trajectories.

use super::Trainee;
use super::drive::{Named, Stage, Update};
use crate::config::{DpoSettings, OptimiserSettings, StageName};
use crate::error::{Error, Result};
use crate::files::write_atomic;
use crate::forest::{self, TargetLogProbs};
use crate::monitor::StageMonitor;
use crate::objective::{self, Answer, DpoLoss, Metrics, Pair};
use crate::random;
use crate::tokens::FlatTree;
use crate::traces::Trajectory;
use std::ops::Range;

pub(super) struct Dpo {
    settings: DpoSettings,
    train: Vec<Pairs>,
    held_out: Vec<Pairs>,
    options: forest::Options,
    budget: usize,
    seed: u64,
}

/// The pairs of one trajectory and what the reference thinks of them.
struct Pairs {
    flat: FlatTree,
    /// Target tokens of (chosen, rejected), one a pair, as ranges of the tree's edges.
    spans: Vec<(Range<usize>, Range<usize>)>,
    /// Reference log-probs of (chosen, rejected), one a pair.
    reference: Vec<(f64, f64)>,
}

impl Dpo {
    pub fn prepare(at: &Trainee) -> Result<Self> {
        let settings = at.run.dpo.clone();
        let data = &at.workshop.dataset;
        let mut stage = Dpo {
            train: pairs(at, data.train.iter())?,
            held_out: pairs(at, data.held_out.iter().map(|h| &h.trajectory))?,
            settings,
            options: at.passes(),
            budget: at.run.pack_tokens,
            seed: at.run.seed,
        };
        if stage.train.is_empty() {
            return Err(Error::Failed(
                "dpo: no trajectory has a pair: pairs need later submissions with another grade or program; \
                 try `dpo.pairs: random` or longer trajectories"
                    .into(),
            ));
        }
        stage.reference(at)?;
        Ok(stage)
    }

    /// Log-probs under the starting model: from the run's folder if they are there, else computed and put there.
    fn reference(&mut self, at: &Trainee) -> Result<()> {
        if !self.settings.loss.has_reference() {
            for pairs in self.train.iter_mut().chain(&mut self.held_out) {
                pairs.reference = vec![(0.0, 0.0); pairs.spans.len()];
            }
            return Ok(());
        }
        let path = at.dir.join("dpo-reference.json");
        let all = self.train.len() + self.held_out.len();
        let stored = std::fs::read(&path).ok().and_then(|b| serde_json::from_slice::<Vec<Vec<(f64, f64)>>>(&b).ok());
        let fits = |stored: &Vec<Vec<(f64, f64)>>| {
            let pairs = self.train.iter().chain(&self.held_out).map(|p| p.spans.len());
            stored.len() == all && stored.iter().map(Vec::len).eq(pairs)
        };
        let reference = match stored.filter(fits) {
            Some(stored) => stored,
            None => {
                let everything: Vec<&Pairs> = self.train.iter().chain(&self.held_out).collect();
                let computed = self.log_probs(at, &everything)?;
                let bytes = serde_json::to_vec(&computed).map_err(|e| Error::Failed(format!("dpo reference: {e}")))?;
                write_atomic(&path, &bytes)?;
                computed
            }
        };
        for (pairs, reference) in self.train.iter_mut().chain(&mut self.held_out).zip(reference) {
            pairs.reference = reference;
        }
        Ok(())
    }

    /// Sums of log-probs of (chosen, rejected), pair by pair, without gradients.
    fn log_probs(&self, at: &Trainee, all: &[&Pairs]) -> Result<Vec<Vec<(f64, f64)>>> {
        let mut sums = vec![Vec::new(); all.len()];
        for pack in forest::pack(&all.iter().map(|p| p.flat.tokens.len()).collect::<Vec<_>>(), self.budget) {
            let trees: Vec<&FlatTree> = pack.iter().map(|&i| &all[i].flat).collect();
            for (read, &i) in forest::log_probs(at.model, &trees, &self.options)?.iter().zip(&pack) {
                sums[i] = all[i].sums(read);
            }
        }
        Ok(sums)
    }

    fn loss(&self) -> DpoLoss {
        let DpoSettings { loss: kind, beta, label_smoothing, gamma, .. } = self.settings;
        DpoLoss { kind, beta, label_smoothing, gamma }
    }

    /// Trajectories of each step: whole ones, until the step has its pairs.
    fn batches(&self, epoch: usize) -> Vec<Vec<usize>> {
        let order = random::permutation(self.seed, "dpo order", epoch as u64, self.train.len());
        let (mut batches, mut count) = (vec![Vec::new()], 0);
        for i in order {
            if count >= self.settings.batch_pairs {
                batches.push(Vec::new());
                count = 0;
            }
            count += self.train[i].spans.len();
            if let Some(batch) = batches.last_mut() {
                batch.push(i);
            }
        }
        batches
    }

    /// The epoch of a step and its place in it.
    fn locate(&self, mut step: usize) -> (usize, Vec<usize>) {
        for epoch in 0.. {
            let mut batches = self.batches(epoch);
            if step < batches.len() {
                return (epoch, batches.swap_remove(step));
            }
            step -= batches.len();
        }
        (0, Vec::new())
    }
}

impl Pairs {
    fn sums(&self, read: &TargetLogProbs) -> Vec<(f64, f64)> {
        let sum = |range: &Range<usize>| objective::total(&read.log_probs[range.clone()]);
        self.spans.iter().map(|(chosen, rejected)| (sum(chosen), sum(rejected))).collect()
    }

    fn with_reference(&self, sums: &[(f64, f64)]) -> Vec<Pair> {
        let answer = |log_prob, reference, span: &Range<usize>| Answer { log_prob, reference, tokens: span.len() };
        let pairs = self.spans.iter().zip(sums).zip(&self.reference);
        pairs
            .map(|((spans, sums), reference)| Pair {
                chosen: answer(sums.0, reference.0, &spans.0),
                rejected: answer(sums.1, reference.1, &spans.1),
            })
            .collect()
    }

    /// Tokens of the chosen answers, pair by pair.
    fn chosen_tokens(&self) -> usize {
        self.spans.iter().map(|(chosen, _)| chosen.len()).sum()
    }
}

fn pairs<'a>(at: &Trainee, all: impl Iterator<Item = &'a Trajectory>) -> Result<Vec<Pairs>> {
    let mut found = Vec::new();
    for trajectory in all {
        for tree in at.workshop.pair_trees(trajectory)?.trees {
            let mut end = 0;
            let ranges = tree.tree.spans().iter().map(|span| {
                end += span.len;
                end - span.len..end
            });
            let ranges: Vec<Range<usize>> = ranges.collect();
            let spans = tree.pairs.iter().map(|p| (ranges[p.chosen].clone(), ranges[p.rejected].clone())).collect();
            found.push(Pairs { flat: tree.tree.flatten(), spans, reference: Vec::new() });
        }
    }
    Ok(found)
}

impl Stage for Dpo {
    fn name(&self) -> StageName {
        StageName::Dpo
    }

    fn steps(&self) -> usize {
        (0..self.settings.epochs).map(|epoch| self.batches(epoch).len()).sum()
    }

    fn optimiser(&self) -> &OptimiserSettings {
        &self.settings.optimiser
    }

    fn eval_every(&self) -> usize {
        self.settings.eval_every
    }

    fn accumulate(&mut self, at: &Trainee, step: usize, _: usize, _: &mut StageMonitor) -> Result<Update> {
        let (epoch, batch) = self.locate(step);
        let batch: Vec<&Pairs> = batch.into_iter().map(|i| &self.train[i]).collect();
        let count: usize = batch.iter().map(|p| p.spans.len()).sum();
        let loss = self.loss();
        // The SFT term: mean log-prob of the chosen tokens of the step.
        let sft = self.settings.sft_weight / batch.iter().map(|p| p.chosen_tokens()).sum::<usize>().max(1) as f64;
        let (mut total, mut metrics) = (0.0, Metrics::default());
        for pack in forest::pack(&batch.iter().map(|p| p.flat.tokens.len()).collect::<Vec<_>>(), self.budget) {
            let packed: Vec<&Pairs> = pack.iter().map(|&i| batch[i]).collect();
            let trees: Vec<&FlatTree> = packed.iter().map(|p| &p.flat).collect();
            forest::backward(at.model, &trees, &self.options, &mut |read| {
                let mut gradients = Vec::with_capacity(read.len());
                for (pairs, read) in packed.iter().zip(read) {
                    let o = objective::dpo(&pairs.with_reference(&pairs.sums(read)), &loss, count as f64)?;
                    let mut gradient = vec![0.0f32; read.log_probs.len()];
                    for ((chosen, rejected), slope) in pairs.spans.iter().zip(&o.grad) {
                        total -= sft * objective::total(&read.log_probs[chosen.clone()]);
                        gradient[chosen.clone()].iter_mut().for_each(|g| *g += (slope.chosen - sft) as f32);
                        gradient[rejected.clone()].iter_mut().for_each(|g| *g += slope.rejected as f32);
                    }
                    total += o.loss;
                    metrics.merge(&o.metrics);
                    gradients.push(gradient);
                }
                Ok(gradients)
            })?;
        }
        let mut named: Named =
            vec![("loss".into(), total), ("pairs".into(), count as f64), ("epoch".into(), epoch as f64)];
        named.extend(metrics.iter().map(|(name, value)| (name.to_string(), value)));
        Ok(Update::Apply(named))
    }

    fn held_out(&mut self, at: &Trainee) -> Result<Named> {
        let all: Vec<&Pairs> = self.held_out.iter().collect();
        let sums = self.log_probs(at, &all)?;
        let pairs: Vec<Pair> = all.iter().zip(&sums).flat_map(|(p, s)| p.with_reference(s)).collect();
        if pairs.is_empty() {
            return Ok(Named::new());
        }
        let o = objective::dpo(&pairs, &self.loss(), pairs.len() as f64)?;
        let mut named: Named = vec![("loss".into(), o.loss)];
        named.extend(o.metrics.iter().map(|(name, value)| (name.to_string(), value)));
        Ok(named)
    }
}

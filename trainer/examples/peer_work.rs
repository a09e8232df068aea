//! Our side of the comparisons in `tests/peers`: the work of a config's training trajectories, with a model folder.
//!
//!     cargo run --release --example peer_work -- WORK CONFIG key=value… [--set key=value]…
//!
//! WORK: `export` writes the conversations, pairs and prompts as rows of tokens, for the other side; `sft` and `dpo` train an
//! epoch; `generate` decodes greedily behind prompts; `group` plays groups of learners over several turns with a given
//! answer in between. Keys: out (file, of export), take (trajectories), batch (trajectories or pairs a step, prompts at a
//! time), rate, budget (tokens of a pass), new (tokens of a turn), samples (learners of a group), turns, recompute=1,
//! chunk (rows of the LM head). Prints one JSON object: seconds of the work alone, losses, peak memory.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use novice::config::{OptimiserSettings, Run, Sampling, Schedule};
use novice::forest::{self, Options};
use novice::generate::{Decoder, RngKey, SlotId, Turn};
use novice::model::Model;
use novice::objective::{self, Answer, DpoLoss, Metrics, Pair};
use novice::optimiser::AdamW;
use novice::tokens::{FlatTree, PairTree, TokenTree};
use novice::workshop::{self, Workshop};
use serde_json::{Value, json};

struct Keys(Vec<(String, String)>);

impl Keys {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    fn number<T: std::str::FromStr>(&self, key: &str, default: T) -> anyhow::Result<T> {
        match self.text(key) {
            Some(text) => text.parse().ok().with_context(|| format!("{key}: {text:?} is not a number")),
            None => Ok(default),
        }
    }
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: peer_work WORK CONFIG key=value… [--set key=value]…";
    let (work, config) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    let (mut keys, mut overrides) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.split_once('=') {
            _ if argument == "--set" => overrides.push(arguments.next().context("--set needs key=value")?),
            Some((key, value)) => keys.push((key.to_string(), value.to_string())),
            None => bail!("{argument:?}: expected key=value"),
        }
    }
    let keys = Keys(keys);
    let run = Run::load(Path::new(&config), &overrides)?;
    tch::set_num_threads(workshop::threads(run.threads) as i32);
    let workshop = Workshop::open(&run, None)?;
    let result = match work.as_str() {
        "export" => export(&workshop, &keys)?,
        "sft" => sft(&workshop, &mut workshop.base_model()?, &keys)?,
        "dpo" => dpo(&workshop, &mut workshop.base_model()?, &keys)?,
        "generate" => generate(&workshop, &workshop.base_model()?, &keys)?,
        "group" => group(&workshop, &workshop.base_model()?, &keys)?,
        other => bail!("{other:?} is not export, sft, dpo, generate or group"),
    };
    println!("{result}");
    Ok(())
}

fn chains(workshop: &Workshop, keys: &Keys) -> anyhow::Result<Vec<TokenTree>> {
    let mut trees = Vec::new();
    for trajectory in workshop.dataset.train.iter().take(keys.number("take", usize::MAX)?) {
        trees.extend(workshop.sft_trees(trajectory)?.trees.into_iter().map(|t| t.tree));
    }
    trees.retain(|t| t.targets() > 0);
    Ok(trees)
}

fn pairs(workshop: &Workshop, keys: &Keys) -> anyhow::Result<Vec<PairTree>> {
    let mut trees = Vec::new();
    for trajectory in workshop.dataset.train.iter().take(keys.number("take", usize::MAX)?) {
        trees.extend(workshop.pair_trees(trajectory)?.trees);
    }
    Ok(trees)
}

/// What the model reads before the first target of a conversation.
fn prompts(workshop: &Workshop, keys: &Keys) -> anyhow::Result<Vec<Vec<u32>>> {
    let first = |t: TokenTree| t.spans().first().map(|s| t.path(s.segment)[..s.start].to_vec());
    Ok(chains(workshop, keys)?.into_iter().filter_map(first).collect())
}

fn export(workshop: &Workshop, keys: &Keys) -> anyhow::Result<Value> {
    let mut conversations = Vec::new();
    for tree in chains(workshop, keys)? {
        let spans: Vec<(usize, usize)> = tree.spans().iter().map(|s| (s.start, s.len)).collect();
        let segment = tree.spans().first().context("a tree without a target")?.segment;
        conversations.push(json!({"tokens": tree.path(segment), "spans": spans}));
    }
    let mut rows = Vec::new();
    for PairTree { tree, pairs } in pairs(workshop, keys)? {
        let (flat, ranges) = (tree.flatten(), tree.edge_ranges());
        // What stands before a target on its path, and the target. A token's position is its depth.
        let row = |span: usize| {
            let path = tree.path(tree.spans()[span].segment);
            let start = flat.positions[flat.edges[ranges[span].start].child];
            (path[..start].to_vec(), path[start..start + ranges[span].len()].to_vec())
        };
        for pair in &pairs {
            let ((prompt, chosen), (other, rejected)) = (row(pair.chosen), row(pair.rejected));
            anyhow::ensure!(prompt == other, "the answers of a pair have different prompts");
            rows.push(json!({"prompt": prompt, "chosen": chosen, "rejected": rejected}));
        }
    }
    let out = keys.text("out").context("export needs out=FILE")?;
    let data = json!({
        "conversations": conversations, "pairs": rows, "prompts": prompts(workshop, keys)?,
        "stop": workshop.renderer.stop(), "vocabulary": workshop.renderer.tokenizer().vocab_size(),
    });
    std::fs::write(out, data.to_string())?;
    Ok(json!({"conversations": conversations.len(), "pairs": rows.len()}))
}

/// A constant rate, no clipping in the way, as the other side is set up.
fn optimiser(model: &Model, keys: &Keys) -> anyhow::Result<(AdamW, f64)> {
    let rate = keys.number("rate", 1e-6)?;
    let settings =
        OptimiserSettings { learning_rate: rate, schedule: Schedule::Constant, ..OptimiserSettings::default() };
    Ok((AdamW::new(model.trainable(), &settings)?, rate))
}

fn options(keys: &Keys) -> anyhow::Result<Options> {
    let default = Options::default();
    let recompute = keys.number("recompute", 0)? == 1;
    Ok(Options { recompute, chunk: keys.number("chunk", default.chunk)?, ..default })
}

fn lengths<'a>(trees: impl IntoIterator<Item = &'a FlatTree>) -> Vec<usize> {
    trees.into_iter().map(|t| t.tokens.len()).collect()
}

fn sft(workshop: &Workshop, model: &mut Model, keys: &Keys) -> anyhow::Result<Value> {
    let trees: Vec<FlatTree> = chains(workshop, keys)?.iter().map(TokenTree::flatten).collect();
    let (mut adamw, rate) = optimiser(model, keys)?;
    let (options, budget) = (options(keys)?, keys.number("budget", workshop.run.pack_tokens)?);
    let mut losses = Vec::new();
    let started = Instant::now();
    for batch in trees.chunks(keys.number("batch", 4)?) {
        let n: usize = batch.iter().map(|t| t.edges.len()).sum();
        let mut loss = 0.0;
        for pass in forest::pack(&lengths(batch), budget) {
            let some: Vec<&FlatTree> = pass.iter().map(|&i| &batch[i]).collect();
            let weights = objective::sft_weights(&some.iter().map(|t| t.edges.len()).collect::<Vec<_>>(), n as f64)?;
            let read = forest::backward_weighted(model, &some, &weights, &options)?;
            loss -= read.iter().map(|r| objective::total(&r.log_probs)).sum::<f64>();
        }
        adamw.step(rate)?;
        adamw.zero_grad()?;
        losses.push((loss / n as f64, n));
    }
    let seconds = started.elapsed().as_secs_f64();
    let targets: usize = losses.iter().map(|l| l.1).sum();
    let mean = losses.iter().map(|(loss, n)| loss * *n as f64).sum::<f64>() / targets as f64;
    let tokens: usize = lengths(&trees).iter().sum();
    let losses: Vec<f64> = losses.iter().map(|l| l.0).collect();
    Ok(
        json!({"seconds": seconds, "loss": mean, "losses": losses, "tokens": tokens, "targets": targets, "peak_mib": peak()}),
    )
}

fn dpo(workshop: &Workshop, model: &mut Model, keys: &Keys) -> anyhow::Result<Value> {
    let trees = pairs(workshop, keys)?;
    let flat: Vec<FlatTree> = trees.iter().map(|t| t.tree.flatten()).collect();
    let (mut adamw, rate) = optimiser(model, keys)?;
    let (options, budget) = (options(keys)?, keys.number("budget", workshop.run.pack_tokens)?);
    let loss = DpoLoss { beta: keys.number("beta", 0.1)?, ..DpoLoss::default() };
    let started = Instant::now();
    let mut reference = vec![Vec::new(); trees.len()];
    for pass in forest::pack(&lengths(&flat), budget) {
        let some: Vec<&FlatTree> = pass.iter().map(|&i| &flat[i]).collect();
        for (read, &i) in forest::log_probs(model, &some, &options)?.into_iter().zip(&pass) {
            reference[i] = read.log_probs;
        }
    }
    let (mut total, mut count, mut metrics) = (0.0, 0, Metrics::default());
    let (mut at, batch) = (0, keys.number("batch", 8)?);
    while at < trees.len() {
        let (start, mut pairs) = (at, 0);
        while at < trees.len() && pairs < batch {
            pairs += trees[at].pairs.len();
            at += 1;
        }
        for pass in forest::pack(&lengths(&flat[start..at]), budget) {
            let some: Vec<&FlatTree> = pass.iter().map(|&i| &flat[start + i]).collect();
            forest::backward(model, &some, &options, &mut |read| {
                let mut gradients = Vec::new();
                for (read, &i) in read.iter().zip(&pass) {
                    let (tree, old) = (&trees[start + i], &reference[start + i]);
                    let ranges = tree.tree.edge_ranges();
                    let answer = |span: usize| {
                        let sum = |from: &[f32]| objective::total(&from[ranges[span].clone()]);
                        let tokens = ranges[span].len();
                        Answer { log_prob: sum(&read.log_probs), reference: sum(old), tokens }
                    };
                    let all =
                        tree.pairs.iter().map(|p| Pair { chosen: answer(p.chosen), rejected: answer(p.rejected) });
                    let o = objective::dpo(&all.collect::<Vec<_>>(), &loss, pairs as f64)?;
                    let mut gradient = vec![0.0f32; read.log_probs.len()];
                    for (pair, slope) in tree.pairs.iter().zip(&o.grad) {
                        gradient[ranges[pair.chosen].clone()].iter_mut().for_each(|g| *g += slope.chosen as f32);
                        gradient[ranges[pair.rejected].clone()].iter_mut().for_each(|g| *g += slope.rejected as f32);
                    }
                    total += o.loss * pairs as f64;
                    metrics.merge(&o.metrics);
                    gradients.push(gradient);
                }
                Ok(gradients)
            })?;
        }
        count += pairs;
        adamw.step(rate)?;
        adamw.zero_grad()?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let tokens: usize = lengths(&flat).iter().sum();
    Ok(json!({
        "seconds": seconds, "loss": total / count as f64, "pairs": count, "tokens": tokens,
        "chosen_log_prob": metrics.get("chosen_log_prob"), "rejected_log_prob": metrics.get("rejected_log_prob"),
        "peak_mib": peak(),
    }))
}

fn generate(workshop: &Workshop, model: &Model, keys: &Keys) -> anyhow::Result<Value> {
    let prompts = prompts(workshop, keys)?;
    let (new, batch) = (keys.number("new", 128)?, keys.number("batch", 8)?);
    let mut written = Vec::new();
    let started = Instant::now();
    for prompts in prompts.chunks(batch) {
        let mut decoder = Decoder::new(model);
        let slots: Vec<SlotId> = prompts.iter().map(|_| decoder.open()).collect();
        decoder.feed(&slots.iter().zip(prompts).map(|(&s, p)| (s, p.as_slice())).collect::<Vec<_>>())?;
        let turn = |&slot: &SlotId| Turn { slot, max_new_tokens: new, stop: &[], key: RngKey::default() };
        let turns: Vec<Turn> = slots.iter().map(turn).collect();
        written.extend(decoder.decode(&turns, &Sampling::GREEDY, &mut |_, _| {})?.into_iter().map(|d| d.tokens));
    }
    let seconds = started.elapsed().as_secs_f64();
    let tokens: usize = written.iter().map(Vec::len).sum();
    Ok(json!({"seconds": seconds, "tokens": tokens, "written": written, "peak_mib": peak()}))
}

fn group(workshop: &Workshop, model: &Model, keys: &Keys) -> anyhow::Result<Value> {
    let (samples, turns, new) = (keys.number("samples", 8)?, keys.number("turns", 5)?, keys.number("new", 64)?);
    // The answer to every submission: as long as a short feedback is.
    let answer: Vec<u32> = (0..keys.number("answer", 48)?).map(|i| 20 + i % 50).collect();
    let prompts = prompts(workshop, keys)?;
    let (mut rollouts, mut tokens) = (0, 0);
    let started = Instant::now();
    for (learner, prompt) in (0..).zip(&prompts) {
        let mut decoder = Decoder::new(model);
        let trunk = decoder.open();
        decoder.feed(&[(trunk, prompt)])?;
        let slots = (0..samples).map(|_| decoder.fork(trunk, prompt.len())).collect::<Result<Vec<_>, _>>()?;
        for number in 0..turns {
            let key = |sample| RngKey { learner, sample, turn: number, ..RngKey::default() };
            let turn = |(i, &slot): (u32, &SlotId)| Turn { slot, max_new_tokens: new, stop: &[], key: key(i) };
            let requests: Vec<Turn> = (0..).zip(&slots).map(turn).collect();
            let drawn = decoder.decode(&requests, &Sampling::default(), &mut |_, _| {})?;
            tokens += drawn.iter().map(|d| d.tokens.len()).sum::<usize>();
            if number + 1 < turns {
                decoder.feed(&slots.iter().map(|&s| (s, answer.as_slice())).collect::<Vec<_>>())?;
            }
        }
        rollouts += samples;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(json!({"seconds": seconds, "rollouts": rollouts, "tokens": tokens, "peak_mib": peak()}))
}

/// Largest resident memory of this process so far, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

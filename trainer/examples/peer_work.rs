//! Our side of the comparisons in `tests/peers`: an epoch, a batch of texts, groups of learners, with a model folder.
//!
//!     cargo run --release --example peer_work -- export CONFIG out=ROWS.json
//!     cargo run --release --example peer_work -- WORK MODEL ROWS.json key=value…
//!
//! `export` writes the conversations, pairs and prompts of a config's training trajectories as tokens, for both sides. WORK:
//! `sft` and `dpo` train an epoch, `tree` likewise on all targets of the pairs' trees; `generate` decodes greedily behind prompts; `group` plays groups of learners over several
//! turns with a given answer in between. Keys: threads, batch (trajectories or pairs a step, prompts at a time), rate,
//! budget (tokens of a pass), adapter (a folder of PEFT's to train), new (tokens of a turn), samples (learners of a group), turns, guess=0 (one token a pass), recompute=1, chunk (rows
//! of the LM head). Prints one JSON object: seconds of the work alone, losses, peak memory.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use novice::config::{OptimiserSettings, Run, Sampling, Schedule};
use novice::forest::{self, Options};
use novice::generate::{Decoder, RngKey, SlotId, Turn};
use novice::model::Model;
use novice::objective::{self, Answer, DpoLoss, Metrics, Pair};
use novice::optimiser::AdamW;
use novice::tokens::{ConversationTree, FlatTree, PairTree, SegmentId, Span, TokenTree};
use novice::workshop::Workshop;
use serde_json::{Value, json};
use tch::{Device, Kind};

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
    novice::memory::keep_freed();
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: peer_work export CONFIG out=FILE, or peer_work WORK MODEL ROWS.json key=value…";
    let (work, first) = (arguments.next().context(usage)?, arguments.next().context(usage)?);
    if work == "export" {
        let out = arguments.next().context(usage)?;
        println!("{}", export(Path::new(&first), out.strip_prefix("out=").context(usage)?)?);
        return Ok(());
    }
    let rows = arguments.next().context(usage)?;
    let pair = |a: String| a.split_once('=').map(|(k, v)| (k.to_string(), v.to_string())).context(a.clone());
    let keys = Keys(arguments.map(pair).collect::<anyhow::Result<_>>()?);
    tch::set_num_threads(keys.number("threads", 2)?);
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(rows)?)?;
    let mut model = Model::load(Path::new(&first), Kind::Float, Device::Cpu)?;
    if let Some(folder) = keys.text("adapter") {
        model.load_adapters(Path::new(folder))?;
    }
    let result = match work.as_str() {
        "sft" => sft(chains(&rows)?, &model, &keys)?,
        "tree" => sft(pairs(&rows)?.into_iter().map(|(tree, _)| tree).collect(), &model, &keys)?,
        "dpo" => dpo(&rows, &model, &keys)?,
        "generate" => generate(&rows, &model, &keys)?,
        "group" => group(&rows, &model, &keys)?,
        other => bail!("{other:?} is not export, sft, tree, dpo, generate or group"),
    };
    println!("{result}");
    Ok(())
}

fn export(config: &Path, out: &str) -> anyhow::Result<Value> {
    let workshop = Workshop::open(&Run::load(config, &[])?, None)?;
    let (mut conversations, mut trees, mut pairs, mut prompts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for trajectory in &workshop.dataset.train {
        for ConversationTree { tree, .. } in workshop.sft_trees(trajectory)?.trees {
            let Some(first) = tree.spans().first() else { continue };
            let tokens = tree.path(first.segment);
            prompts.push(tokens[..first.start].to_vec());
            let spans: Vec<(usize, usize)> = tree.spans().iter().map(|s| (s.start, s.len)).collect();
            conversations.push(json!({"tokens": tokens, "spans": spans}));
        }
        for PairTree { tree, pairs: sides } in workshop.pair_trees(trajectory)?.trees {
            let (flat, ranges) = (tree.flatten(), tree.edge_ranges());
            let segments: Vec<Value> = flat
                .segments
                .iter()
                .map(|s| json!({"parent": s.parent, "tokens": flat.tokens[s.start..s.start + s.len]}))
                .collect();
            let place = |range: &Range<usize>| {
                let child = flat.edges[range.start].child;
                let segment = flat.segments.iter().rposition(|s| s.start <= child).unwrap_or(0);
                (segment, child - flat.segments[segment].start, range.len())
            };
            let spans: Vec<_> = ranges.iter().map(place).collect();
            let indices: Vec<_> = sides.iter().map(|p| (p.chosen, p.rejected)).collect();
            trees.push(json!({"segments": segments, "spans": spans, "pairs": indices}));
            // What stands before a target on its path, and the target. A token's position is its depth.
            let row = |span: usize| {
                let path = tree.path(tree.spans()[span].segment);
                let start = flat.positions[flat.edges[ranges[span].start].child];
                (path[..start].to_vec(), path[start..start + ranges[span].len()].to_vec())
            };
            for pair in &sides {
                let ((prompt, chosen), (other, rejected)) = (row(pair.chosen), row(pair.rejected));
                anyhow::ensure!(prompt == other, "the answers of a pair have different prompts");
                pairs.push(json!({"prompt": prompt, "chosen": chosen, "rejected": rejected}));
            }
        }
    }
    let counts = json!({"conversations": conversations.len(), "pairs": pairs.len()});
    let rows = json!({
        "conversations": conversations, "trees": trees, "pairs": pairs, "prompts": prompts,
        "stop": workshop.renderer.stop(), "vocabulary": workshop.renderer.tokenizer().vocab_size(),
    });
    std::fs::write(out, rows.to_string())?;
    Ok(counts)
}

fn read<T: serde::de::DeserializeOwned>(value: &Value, key: &str) -> anyhow::Result<T> {
    serde_json::from_value(value[key].clone()).with_context(|| format!("rows: {key}"))
}

fn chains(rows: &Value) -> anyhow::Result<Vec<FlatTree>> {
    let all: Vec<Value> = read(rows, "conversations")?;
    let chain =
        |c: &Value| Ok(TokenTree::chain(&read::<Vec<u32>>(c, "tokens")?, &read::<Vec<_>>(c, "spans")?)?.flatten());
    all.iter().map(chain).collect()
}

/// For each pair of a tree, the edges of its answers.
type Sides = Vec<[Range<usize>; 2]>;

fn pairs(rows: &Value) -> anyhow::Result<Vec<(FlatTree, Sides)>> {
    let mut all = Vec::new();
    for value in read::<Vec<Value>>(rows, "trees")? {
        let mut tree = TokenTree::default();
        for segment in read::<Vec<Value>>(&value, "segments")? {
            let parent: Option<usize> = read(&segment, "parent")?;
            tree.push(parent.map(SegmentId), &read::<Vec<u32>>(&segment, "tokens")?)?;
        }
        for (segment, start, len) in read::<Vec<(usize, usize, usize)>>(&value, "spans")? {
            tree.target(Span { segment: SegmentId(segment), start, len })?;
        }
        let ranges = tree.edge_ranges();
        let sides = read::<Vec<(usize, usize)>>(&value, "pairs")?;
        let sides = sides.into_iter().map(|(c, r)| [ranges[c].clone(), ranges[r].clone()]).collect();
        all.push((tree.flatten(), sides));
    }
    Ok(all)
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

fn sft(trees: Vec<FlatTree>, model: &Model, keys: &Keys) -> anyhow::Result<Value> {
    let (mut adamw, rate) = optimiser(model, keys)?;
    let (options, budget) = (options(keys)?, keys.number("budget", 4096)?);
    let mut losses = Vec::new();
    let clock = Clock::start();
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
    let result = clock.stop(json!({}));
    let targets: usize = losses.iter().map(|l| l.1).sum();
    let mean = losses.iter().map(|(loss, n)| loss * *n as f64).sum::<f64>() / targets as f64;
    let tokens: usize = lengths(&trees).iter().sum();
    let losses: Vec<f64> = losses.iter().map(|l| l.0).collect();
    Ok(with(result, json!({"loss": mean, "losses": losses, "tokens": tokens, "targets": targets})))
}

fn dpo(rows: &Value, model: &Model, keys: &Keys) -> anyhow::Result<Value> {
    let (flat, trees): (Vec<FlatTree>, Vec<Sides>) = pairs(rows)?.into_iter().unzip();
    let (mut adamw, rate) = optimiser(model, keys)?;
    let (options, budget) = (options(keys)?, keys.number("budget", 4096)?);
    let loss = DpoLoss { beta: keys.number("beta", 0.1)?, ..DpoLoss::default() };
    let clock = Clock::start();
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
            pairs += trees[at].len();
            at += 1;
        }
        for pass in forest::pack(&lengths(&flat[start..at]), budget) {
            let some: Vec<&FlatTree> = pass.iter().map(|&i| &flat[start + i]).collect();
            forest::backward(model, &some, &options, &mut |read| {
                let mut gradients = Vec::new();
                for (read, &i) in read.iter().zip(&pass) {
                    let (sides, old) = (&trees[start + i], &reference[start + i]);
                    let answer = |range: &Range<usize>| {
                        let sum = |from: &[f32]| objective::total(&from[range.clone()]);
                        Answer { log_prob: sum(&read.log_probs), reference: sum(old), tokens: range.len() }
                    };
                    let all: Vec<Pair> =
                        sides.iter().map(|[c, r]| Pair { chosen: answer(c), rejected: answer(r) }).collect();
                    let o = objective::dpo(&all, &loss, pairs as f64)?;
                    let mut gradient = vec![0.0f32; read.log_probs.len()];
                    for ([chosen, rejected], slope) in sides.iter().zip(&o.grad) {
                        gradient[chosen.clone()].iter_mut().for_each(|g| *g += slope.chosen as f32);
                        gradient[rejected.clone()].iter_mut().for_each(|g| *g += slope.rejected as f32);
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
    let result = clock.stop(json!({}));
    let tokens: usize = lengths(&flat).iter().sum();
    let log_prob = |side| metrics.get(side);
    let seen =
        json!({"chosen_log_prob": log_prob("chosen_log_prob"), "rejected_log_prob": log_prob("rejected_log_prob")});
    Ok(with(result, with(seen, json!({"loss": total / count as f64, "pairs": count, "tokens": tokens}))))
}

fn generate(rows: &Value, model: &Model, keys: &Keys) -> anyhow::Result<Value> {
    let prompts: Vec<Vec<u32>> = read(rows, "prompts")?;
    let (new, batch) = (keys.number("new", 128)?, keys.number("batch", 8)?);
    let mut written = Vec::new();
    let clock = Clock::start();
    for prompts in prompts.chunks(batch) {
        let mut decoder = Decoder::new(model).with_guessing(keys.number("guess", 1)? == 1);
        let slots: Vec<SlotId> = prompts.iter().map(|_| decoder.open()).collect();
        decoder.feed(&slots.iter().zip(prompts).map(|(&s, p)| (s, p.as_slice())).collect::<Vec<_>>())?;
        let turn = |&slot: &SlotId| Turn { slot, max_new_tokens: new, stop: &[], key: RngKey::default() };
        let turns: Vec<Turn> = slots.iter().map(turn).collect();
        written.extend(decoder.decode(&turns, &Sampling::GREEDY, &mut |_, _| {})?.into_iter().map(|d| d.tokens));
    }
    let tokens: usize = written.iter().map(Vec::len).sum();
    Ok(clock.stop(json!({"tokens": tokens, "written": written})))
}

fn group(rows: &Value, model: &Model, keys: &Keys) -> anyhow::Result<Value> {
    let (samples, turns, new) = (keys.number("samples", 8)?, keys.number("turns", 5)?, keys.number("new", 64)?);
    // The answer to every submission: as long as a short feedback is.
    let answer: Vec<u32> = (0..keys.number("answer", 48)?).map(|i| 20 + i % 50).collect();
    let prompts: Vec<Vec<u32>> = read(rows, "prompts")?;
    let prompts: Vec<Vec<u32>> = prompts.into_iter().take(keys.number("groups", usize::MAX)?).collect();
    let (mut rollouts, mut tokens) = (0, 0);
    let clock = Clock::start();
    for (learner, prompt) in (0..).zip(&prompts) {
        let mut decoder = Decoder::new(model).with_guessing(keys.number("guess", 1)? == 1);
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
    Ok(clock.stop(json!({"rollouts": rollouts, "tokens": tokens})))
}

/// The fields of both.
fn with(mut a: Value, b: Value) -> Value {
    if let (Some(a), Value::Object(b)) = (a.as_object_mut(), b) {
        a.extend(b);
    }
    a
}

/// Clocks of a piece of work.
struct Clock {
    wall: Instant,
    cpu: f64,
}

impl Clock {
    fn start() -> Clock {
        Clock { wall: Instant::now(), cpu: processor() }
    }

    /// Adds the seconds since the start to a result: by the wall clock, and of all threads on a core.
    fn stop(self, mut result: Value) -> Value {
        result["seconds"] = json!(self.wall.elapsed().as_secs_f64());
        result["cpu"] = json!(processor() - self.cpu);
        result["peak_mib"] = json!(peak());
        result
    }
}

/// Time of this process on cores so far, in seconds.
fn processor() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a timespec that may be written to.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 + t.tv_nsec as f64 * 1e-9
}

/// Largest resident memory of this process so far, in MiB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

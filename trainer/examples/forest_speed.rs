//! How many tokens a second a training pass over a forest takes, and where the time goes.
//!
//!     cargo run --release --example forest_speed -- [key=value]…
//!
//! Keys and defaults: threads=2 tokens=4096 (of the pass) tree=512 (of each tree) branches=1 (of each tree, behind a
//! shared first half) targets=0.4 (fraction of tokens) vocab=4096 hidden=256 layers=4 chunk=0 (rows of the LM head; 0: by memory) repeats=5 lora=0 (rank)
//! recompute=0 dense=0 bfloat16=0. Times are medians in milliseconds: of the wall clock, and of the main thread's time on
//! a core, which with threads=1 is what the work takes on a machine that has nothing else to do.

mod shared;

use std::path::Path;
use std::time::Instant;

use novice::config::LoraConfig;
use novice::forest::{AttentionKind, Options, backward_weighted, log_probs};
use novice::model::{Causal, Model, ModelConfig};
use novice::tokens::{FlatTree, Span, TokenTree};
use tch::{Device, Kind, Tensor};

use shared::Settings;

const DEFAULTS: [(&str, f64); 14] = [
    ("threads", 2.0),
    ("tokens", 4096.0),
    ("tree", 512.0),
    ("branches", 1.0),
    ("targets", 0.4),
    ("vocab", 4096.0),
    ("hidden", 256.0),
    ("layers", 4.0),
    ("chunk", 0.0),
    ("repeats", 5.0),
    ("lora", 0.0),
    ("recompute", 0.0),
    ("dense", 0.0),
    ("bfloat16", 0.0),
];

/// A tree of `size` tokens: a trunk of half of them when it branches, targets in the last part of each run.
fn tree(seed: usize, size: usize, s: &Settings) -> anyhow::Result<FlatTree> {
    let vocab = s.count("vocab");
    let run = |part: usize, len: usize| -> Vec<u32> {
        (0..len).map(|i| ((seed * 7919 + part * 104729 + i * i * 31 + i * 17) % vocab) as u32).collect()
    };
    let branches = s.count("branches");
    let mut tree = TokenTree::default();
    let trunk = if branches > 1 { size / 2 } else { size };
    let root = tree.push(None, &run(0, trunk))?;
    let targets = |len: usize| ((len as f64 * s.get("targets")) as usize).clamp(1, len - 1);
    if branches <= 1 {
        tree.target(Span { segment: root, start: trunk - targets(trunk), len: targets(trunk) })?;
        return Ok(tree.flatten());
    }
    for branch in 0..branches {
        let len = (size - trunk) / branches;
        let segment = tree.push(Some(root), &run(branch + 1, len))?;
        tree.target(Span { segment, start: len - targets(len), len: targets(len) })?;
    }
    Ok(tree.flatten())
}

/// Milliseconds of a piece of work.
struct Times {
    wall: f64,
    core: f64,
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:.0} ({:.0})", self.wall, self.core)
    }
}

/// Time of the main thread on a core so far, in milliseconds.
fn on_core() -> f64 {
    let text = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// Medians of some runs after one that is not counted.
fn time(repeats: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Times> {
    work()?;
    let (mut walls, mut cores) = (Vec::new(), Vec::new());
    for _ in 0..repeats.max(1) {
        let (wall, core) = (Instant::now(), on_core());
        work()?;
        walls.push(wall.elapsed().as_secs_f64() * 1e3);
        cores.push(on_core() - core);
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(0.0)
    };
    Ok(Times { wall: median(walls), core: median(cores) })
}

fn main() -> anyhow::Result<()> {
    novice::memory::keep_freed();
    let s = Settings::read(&DEFAULTS, std::env::args().skip(1))?;
    tch::set_num_threads(s.get("threads") as i32);
    let hidden = s.count("hidden");
    let config = serde_json::json!({
        "model_type": "qwen3", "vocab_size": s.count("vocab"), "hidden_size": hidden, "intermediate_size": 3 * hidden,
        "num_hidden_layers": s.count("layers"), "num_attention_heads": hidden / 64, "head_dim": 64,
        "num_key_value_heads": (hidden / 128).max(1), "tie_word_embeddings": true,
    });
    let config = ModelConfig::from_json(&config, Path::new("config.json"))?;
    let kind = if s.count("bfloat16") == 1 { Kind::BFloat16 } else { Kind::Float };
    let mut model = Model::init(config, 1, kind, Device::Cpu)?;
    if s.count("lora") > 0 {
        model.add_lora(&LoraConfig { rank: s.count("lora"), ..LoraConfig::default() }, 1)?;
    }
    let number = (s.count("tokens") / s.count("tree")).max(1);
    let trees: Vec<FlatTree> = (0..number).map(|i| tree(i, s.count("tree"), &s)).collect::<Result<_, _>>()?;
    let refs: Vec<&FlatTree> = trees.iter().collect();
    let tokens: usize = trees.iter().map(|t| t.tokens.len()).sum();
    let targets: usize = trees.iter().map(|t| t.edges.len()).sum();
    let weights: Vec<Vec<f32>> = trees.iter().map(|t| vec![1.0 / targets as f32; t.edges.len()]).collect();
    let options = Options {
        chunk: s.count("chunk"),
        attention: if s.count("dense") == 1 { AttentionKind::Dense } else { AttentionKind::Cut },
        recompute: s.count("recompute") == 1,
        ..Options::default()
    };
    let repeats = s.count("repeats");
    let train = time(repeats, || {
        backward_weighted(&model, &refs, &weights, &options)?;
        Ok(())
    })?;
    let read = time(repeats, || {
        log_probs(&model, &refs, &options)?;
        Ok(())
    })?;
    // A chain per tree through the layers alone, without a gradient and without the head.
    let at = Tensor::f_arange(s.get("tree") as i64, (Kind::Int64, Device::Cpu))?;
    let layers = time(repeats, || {
        for _ in 0..number {
            let _ = tch::no_grad(|| model.hidden(&at, &at, &mut Causal))?;
        }
        Ok(())
    })?;
    let rows = Tensor::f_zeros([targets as i64, hidden as i64], (kind, Device::Cpu))?;
    let head = time(repeats, || {
        let mut start = 0;
        while start < targets as i64 {
            let len = (s.get("chunk") as i64).clamp(64, 4096).min(targets as i64 - start);
            let logits = tch::no_grad(|| model.logits(&rows.f_narrow(0, start, len)?).map_err(anyhow::Error::from))?;
            let _ = logits.f_log_softmax(-1, Kind::Float)?;
            start += len;
        }
        Ok(())
    })?;
    let peak = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = peak.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or("?").trim().to_string();
    println!(
        "{tokens} tokens {targets} targets: train {train} ms = {:.0} ({:.0}) tokens/s; read {read}; layers forward as rows {layers}; head forward {head}; peak {peak}",
        tokens as f64 / train.wall * 1e3,
        tokens as f64 / train.core * 1e3
    );
    Ok(())
}

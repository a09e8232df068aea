//! How near training and decoding come to what the machine can do, and where the rest of the time goes.
//!
//!     cargo run --release --example roofline -- MODEL [key=value]…
//!
//! MODEL is a folder. Keys and defaults: threads=2 tokens=2048 (of a training pass, in two chains) targets=0.4 (fraction of tokens)
//! slots=1 (sequences decoded at once) prompt=500 new=48 repeats=3. Float32, all weights trained.
//!
//! First the machine: the fastest square product, and how fast memory is read, from the caches (32 MiB) and from beyond
//! (1 GiB). Then a step of training: floating-point operations of the products and of attention (recomputation and all
//! other operations count as none), and the times of its parts, each done alone with the same shapes. Then a step of
//! decoding: the weights and cached positions that it must read.

mod shared;

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use novice::config::{OptimiserSettings, Sampling};
use novice::forest::{Options, backward_weighted};
use novice::generate::{Decoder, RngKey, SlotId, Turn};
use novice::model::{Model, ModelConfig, scaled_dot_product};
use novice::optimiser::AdamW;
use novice::tokens::{FlatTree, Span, TokenTree};
use tch::{Device, Kind, TchError, Tensor};

use shared::{Nothing, Settings};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Seconds of the fastest of some runs, after one that is not counted.
fn fastest<E>(repeats: usize, mut work: impl FnMut() -> Result<(), E>) -> Result<f64, E> {
    work()?;
    let mut best = f64::INFINITY;
    for _ in 0..repeats.max(1) {
        let clock = Instant::now();
        work()?;
        best = best.min(clock.elapsed().as_secs_f64());
    }
    Ok(best)
}

/// A line of a table of parts.
fn line(name: &str, seconds: f64, of: f64) {
    println!("  {name:34} {:9.2} ms {:5.1} %", seconds * 1e3, seconds / of * 100.0);
}

/// The machine's peaks: FLOP/s, bytes/s from the caches, bytes/s from memory.
fn machine() -> anyhow::Result<[f64; 3]> {
    let n = 2048;
    let (a, b) = (Tensor::f_rand([n, n], FLOAT)?, Tensor::f_rand([n, n], FLOAT)?);
    let gemm = fastest(5, || a.f_mm(&b).map(drop))?;
    let read = |mib: i64| -> anyhow::Result<f64> {
        let x = Tensor::f_ones([mib << 18], FLOAT)?;
        Ok((mib << 20) as f64 / fastest(5, || x.f_sum(Kind::Float).map(drop))?)
    };
    Ok([2.0 * (n * n * n) as f64 / gemm, read(32)?, read(1024)?])
}

/// `[out, in]` of the products of one layer.
fn products(c: &ModelConfig) -> [[i64; 2]; 7] {
    let (d, m) = (c.hidden_size, c.intermediate_size);
    let (q, kv) = (c.num_attention_heads * c.head_dim, c.num_key_value_heads * c.head_dim);
    [[q, d], [kv, d], [kv, d], [d, q], [m, d], [m, d], [d, m]]
}

/// Seconds of a product of `rows` and of both its gradients, for a weight `[out, in]`.
fn product(rows: i64, [out, inner]: [i64; 2], repeats: usize) -> Result<f64, TchError> {
    let (x, w, dy) = (
        Tensor::f_rand([rows, inner], FLOAT)?,
        Tensor::f_rand([out, inner], FLOAT)?,
        Tensor::f_rand([rows, out], FLOAT)?,
    );
    fastest(repeats, || {
        let _ = (x.f_linear(&w, None::<&Tensor>)?, dy.f_mm(&w)?, dy.f_transpose(0, 1)?.f_mm(&x)?);
        Ok(())
    })
}

const DEFAULTS: [(&str, f64); 7] = [
    ("threads", 2.0),
    ("tokens", 2048.0),
    ("targets", 0.4),
    ("slots", 1.0),
    ("prompt", 500.0),
    ("new", 48.0),
    ("repeats", 3.0),
];

fn main() -> anyhow::Result<()> {
    novice::memory::keep_freed();
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().context("usage: roofline MODEL [key=value]…")?;
    let keys = Settings::read(&DEFAULTS, arguments)?;
    ensure!(keys.count("tokens") >= 4, "a training pass needs 4 tokens or more");
    ensure!(["slots", "prompt", "new"].iter().all(|key| keys.count(key) > 0), "slots, prompt and new are 1 or more");
    tch::set_num_threads(keys.count("threads") as i32);
    let [flops, cached, memory] = machine()?;
    println!(
        "machine, {} threads: product {:.0} GFLOP/s; reading 32 MiB {:.1} GB/s, 1 GiB {:.1} GB/s",
        keys.count("threads"),
        flops / 1e9,
        cached / 1e9,
        memory / 1e9
    );
    let model = Model::load(Path::new(&folder), Kind::Float, Device::Cpu)?;
    train(&model, &keys, flops)?;
    decode(&model, &keys)
}

fn train(model: &Model, keys: &Settings, peak: f64) -> anyhow::Result<()> {
    let (c, repeats) = (model.config(), keys.count("repeats"));
    let chain = keys.count("tokens") / 2;
    let targets = ((chain as f64 * keys.get("targets")) as usize).clamp(1, chain - 1);
    let tree = |seed: usize| -> anyhow::Result<FlatTree> {
        let ids: Vec<u32> = (0..chain).map(|i| ((i * 31 + seed * 7) % c.vocab_size as usize) as u32).collect();
        let mut tree = TokenTree::default();
        let segment = tree.push(None, &ids)?;
        tree.target(Span { segment, start: chain - targets, len: targets })?;
        Ok(tree.flatten())
    };
    let trees = [tree(0)?, tree(1)?];
    let weights = vec![vec![0.5 / targets as f32; targets]; 2];
    let pass = fastest(repeats, || {
        backward_weighted(model, &[&trees[0], &trees[1]], &weights, &Options::default()).map(drop)
    })?;
    let mut adamw = AdamW::new(model.trainable(), &OptimiserSettings::default())?;
    let optimiser = fastest(repeats, || adamw.step(1e-9).map(drop))?;
    let all = pass + optimiser;

    let (layers, t) = (c.num_hidden_layers as f64, 2.0 * chain as f64);
    let weight: f64 = products(c).iter().map(|[out, inner]| (out * inner) as f64).sum();
    let dense = 6.0 * weight * layers * t;
    let head = 6.0 * (c.vocab_size * c.hidden_size) as f64 * 2.0 * targets as f64;
    // Scores and mixes of the lower triangle; their gradients are five products for two.
    let attention = (2.0 + 5.0) * (c.num_attention_heads * c.head_dim) as f64 * layers * t * chain as f64;
    let done = dense + head + attention;
    println!(
        "training, {t} tokens, {} targets: {:.1} ms, {:.0} tokens/s, {:.0} GFLOP/s, {:.0} % of the machine's product",
        2 * targets,
        all * 1e3,
        t / all,
        done / all / 1e9,
        done / all / peak * 100.0
    );
    let mut in_layers = 0.0;
    for shape in products(c) {
        in_layers += product(2 * chain as i64, shape, repeats)? * layers;
    }
    let rows = (Options::default().rows(c.vocab_size as usize) as i64).min(2 * targets as i64);
    let in_head = product(rows, [c.vocab_size, c.hidden_size], repeats)? * 2.0 * targets as f64 / rows as f64;
    let row = |heads: i64| Tensor::f_rand([chain as i64, heads, c.head_dim], FLOAT)?.f_set_requires_grad(true);
    let (q, k, v) = (row(c.num_attention_heads)?, row(c.num_key_value_heads)?, row(c.num_key_value_heads)?);
    let in_attention = 2.0
        * layers
        * fastest(repeats, || -> anyhow::Result<()> {
            Ok(scaled_dot_product(&q, &k, &v, None, true)?.f_sum(Kind::Float)?.f_backward()?)
        })?;
    line(&format!("products of the layers ({:.0} GFLOP/s)", dense / in_layers / 1e9), in_layers, all);
    line(&format!("products of the head ({:.0} GFLOP/s)", head / in_head / 1e9), in_head, all);
    line(&format!("attention ({:.0} GFLOP/s)", attention / in_attention / 1e9), in_attention, all);
    line("optimiser", optimiser, all);
    line("everything else", all - in_layers - in_head - in_attention - optimiser, all);
    Ok(())
}

fn decode(model: &Model, keys: &Settings) -> anyhow::Result<()> {
    let (c, slots, prompt, new) = (model.config(), keys.count("slots"), keys.count("prompt"), keys.count("new"));
    // A token of each text a step.
    let mut decoder = Decoder::new(model).with_guessing(false);
    let texts: Vec<Vec<u32>> =
        (0..slots).map(|s| (0..prompt).map(|i| ((i * 31 + s * 7) % c.vocab_size as usize) as u32).collect()).collect();
    let ids: Vec<SlotId> = texts.iter().map(|_| decoder.open()).collect();
    decoder.feed(&ids.iter().zip(&texts).map(|(&id, text)| (id, text.as_slice())).collect::<Vec<_>>())?;
    for (learner, &slot) in (0..).zip(&ids) {
        decoder.begin(&Turn { slot, max_new_tokens: new, stop: &[], key: RngKey { learner, ..RngKey::default() } })?;
    }
    let mut times = Vec::new();
    for _ in 0..new {
        let clock = Instant::now();
        decoder.step(&Sampling::default())?;
        times.push(clock.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let step = times[times.len() / 2];

    // In turns, so that neither finds its weights in a cache where a step would not.
    let row = Tensor::f_arange(slots as i64, (Kind::Int64, Device::Cpu))?;
    let (mut layers, mut head) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..10 {
        let clock = Instant::now();
        let last = tch::no_grad(|| model.hidden(&row, &row, &mut Nothing))?;
        layers = layers.min(clock.elapsed().as_secs_f64());
        let clock = Instant::now();
        let _ = model.read_logits(&last)?;
        head = head.min(clock.elapsed().as_secs_f64());
    }
    let weight: i64 = products(c).iter().map(|[out, inner]| out * inner).sum();
    let in_layers = 4.0 * (weight * c.num_hidden_layers) as f64;
    let in_head = 4.0 * (c.vocab_size * c.hidden_size) as f64;
    let positions = (slots * (prompt + new / 2)) as f64;
    let past = 8.0 * (c.num_hidden_layers * c.num_key_value_heads * c.head_dim) as f64 * positions;
    let bytes = in_layers + in_head + past;
    println!(
        "decoding, {slots} at once behind {prompt} tokens: {:.2} ms, {:.0} tokens/s, {:.1} MB a step, {:.1} GB/s",
        step * 1e3,
        slots as f64 / step,
        bytes / 1e6,
        bytes / step / 1e9
    );
    line(&format!("layers without attention ({:.1} GB/s)", in_layers / layers / 1e9), layers, step);
    line(&format!("head ({:.1} GB/s)", in_head / head / 1e9), head, step);
    let rest = step - layers - head;
    line(&format!("attention, drawing, rest ({:.1} GB/s)", past / rest / 1e9), rest, step);
    Ok(())
}

//! How many tokens a second are decoded, and where the time of a step goes.
//!
//!     cargo run --release --example decode_speed -- [key=value]…
//!
//! Keys and defaults: threads=2 slots=8 shared=0 (1: all slots are forks of one prompt) prompt=480 new=64 hidden=128
//! layers=4 vocab=1024 head=32 (width of a head) kv=0 (key heads; 0: half as many as query heads where their number is even) bfloat16=0. Prints medians over the steps, of
//! the wall clock and of the main thread's time on a core, which with threads=1 is what the work takes on a machine that
//! has nothing else to do. `dense` is the model without attention, `head` the LM head (and the same by libtorch's product), `draw` the
//! sampler.

mod shared;

use std::path::Path;
use std::time::Instant;

use novice::config::Sampling;
use novice::generate::{Decoder, RngKey, Sampler, SlotId, Turn};
use novice::model::{Model, ModelConfig};
use tch::{Device, Kind, Tensor};

use shared::{Nothing, Settings};

/// Time of the main thread on a core so far, in microseconds.
fn on_core() -> f64 {
    let mut t = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `t` is a timespec that may be written to.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut t) };
    t.tv_sec as f64 * 1e6 + t.tv_nsec as f64 * 1e-3
}

/// Medians of the wall clock and of the time on a core, in microseconds.
fn time(repeats: usize, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<(f64, f64)> {
    let (mut walls, mut cores) = (Vec::new(), Vec::new());
    for _ in 0..repeats.max(1) {
        let (wall, core) = (Instant::now(), on_core());
        work()?;
        walls.push(wall.elapsed().as_secs_f64() * 1e6);
        cores.push(on_core() - core);
    }
    Ok((median(walls), median(cores)))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(0.0)
}

fn medians(times: Vec<(f64, f64)>) -> (f64, f64) {
    let (walls, cores) = times.into_iter().unzip();
    (median(walls), median(cores))
}

const DEFAULTS: [(&str, f64); 11] = [
    ("threads", 2.0),
    ("slots", 8.0),
    ("shared", 0.0),
    ("prompt", 480.0),
    ("new", 64.0),
    ("hidden", 128.0),
    ("layers", 4.0),
    ("vocab", 1024.0),
    ("head", 32.0),
    ("kv", 0.0),
    ("bfloat16", 0.0),
];

fn main() -> anyhow::Result<()> {
    novice::memory::keep_freed();
    let settings = Settings::read(&DEFAULTS, std::env::args().skip(1))?;
    let [threads, slots, shared, prompt, new, hidden, layers, vocab, head, kv, bfloat16] =
        DEFAULTS.map(|(key, _)| settings.count(key));
    tch::set_num_threads(i32::try_from(threads)?);
    let kv_heads = match (kv, hidden / head) {
        (0, heads) if heads % 2 == 0 => heads / 2,
        (0, _) => 1,
        _ => kv,
    };
    let config = serde_json::json!({
        "model_type": "qwen3", "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": 3 * hidden,
        "num_hidden_layers": layers, "num_attention_heads": hidden / head, "head_dim": head,
        "num_key_value_heads": kv_heads, "tie_word_embeddings": true, "initializer_range": 0.05,
    });
    let kind = if bfloat16 == 1 { Kind::BFloat16 } else { Kind::Float };
    let model = Model::init(ModelConfig::from_json(&config, Path::new("config.json"))?, 1, kind, Device::Cpu)?;
    let text = |slot: usize| -> Vec<u32> { (0..prompt).map(|i| ((i * 31 + slot * 7) % vocab) as u32).collect() };

    // A token of each slot a step.
    let mut decoder = Decoder::new(&model).with_guessing(false);
    let wall = Instant::now();
    let mut ids: Vec<SlotId> = Vec::new();
    if shared == 1 {
        let trunk = decoder.open();
        decoder.feed(&[(trunk, &text(0))])?;
        for _ in 0..slots {
            ids.push(decoder.fork(trunk, prompt)?);
        }
    } else {
        let texts: Vec<Vec<u32>> = (0..slots).map(text).collect();
        ids.extend((0..slots).map(|_| decoder.open()));
        let items: Vec<(SlotId, &[u32])> = ids.iter().zip(&texts).map(|(&id, t)| (id, t.as_slice())).collect();
        decoder.feed(&items)?;
    }
    let fed = if shared == 1 { prompt } else { prompt * slots };
    let prefill = fed as f64 / wall.elapsed().as_secs_f64();

    let sampling = Sampling::default();
    for (learner, &slot) in (0..).zip(&ids) {
        let key = RngKey { learner, ..RngKey::default() };
        decoder.begin(&Turn { slot, max_new_tokens: new, stop: &[], key })?;
    }
    let step = time(new, || {
        decoder.step(&sampling)?;
        Ok(())
    })?;

    let row = Tensor::f_arange(slots as i64, (Kind::Int64, Device::Cpu))?;
    let mut last = Tensor::new();
    let dense = time(50, || {
        last = tch::no_grad(|| model.hidden(&row, &row, &mut Nothing))?;
        Ok(())
    })?;
    let mut logits = Tensor::new();
    // In turns, so that what else the machine does falls on both.
    let (mut few, mut library) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        few.push(time(1, || {
            logits = model.read_logits(&last)?;
            Ok(())
        })?);
        library.push(time(1, || {
            let _ = tch::no_grad(|| model.logits(&last))?;
            Ok(())
        })?);
    }
    let (lm_head, library) = (medians(few), medians(library));
    let numbers: Vec<f32> = Vec::try_from(logits.f_to_kind(Kind::Float)?.f_reshape([-1])?)?;
    let mut sampler = Sampler::new(&sampling)?;
    let draw = time(50, || {
        for row in numbers.chunks_exact(vocab) {
            sampler.draw(row, 0.5)?;
        }
        Ok(())
    })?;
    let rate = |(wall, core): (f64, f64)| (slots as f64 / wall * 1e6, slots as f64 / core * 1e6);
    println!("decoding: {:.0} tokens/s by the wall clock, {:.0} by the main thread's", rate(step).0, rate(step).1);
    println!("feeding: {prefill:.0} tokens/s by the wall clock");
    for (name, (wall, core)) in
        [("step", step), ("dense", dense), ("head", lm_head), ("head by libtorch", library), ("draw", draw)]
    {
        println!("{name}: {wall:.0} us by the wall clock, {core:.0} us by the main thread's");
    }
    Ok(())
}

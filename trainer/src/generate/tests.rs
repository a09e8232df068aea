//! The decoder against plain forward passes over whole sequences.

mod company;
mod endings;
mod guessing;
mod recorded;

use proptest::prelude::*;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::config::Sampling;
use crate::forest;
use crate::lanes::Instructions;
use crate::model::testing::tiny;
use crate::model::{Causal, Model};
use crate::testing::in_own_process;
use crate::tokens::{Span, TokenTree, Tokenizer};

/// Tolerance of log-probs in float32: what another order of summation makes.
const CLOSE: f32 = 1e-4;

/// Tolerance beside a forest pass, which computes the very same hidden states where there are loops for it: the last digits of a
/// log-prob.
fn same() -> f32 {
    if Instructions::best().is_some() { 4e-6 } else { CLOSE }
}

fn models() -> Vec<Model> {
    // Tests run side by side; more threads each would only get into each other's way.
    tch::set_num_threads(1);
    let with = |model_type, extra| Model::init(tiny(model_type, extra), 3, Kind::Float, Device::Cpu).unwrap();
    vec![
        with("qwen3", json!({})),
        with("qwen2", json!({"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 16, "hidden_size": 96})),
        with("llama", json!({"num_key_value_heads": 4, "num_hidden_layers": 3, "tie_word_embeddings": true})),
    ]
}

fn prompt(n: usize, seed: usize) -> Vec<u32> {
    (0..n).map(|i| ((i * 31 + seed * 17 + i * i * seed) % 96) as u32).collect()
}

/// Log-probs of the next token at every position, recomputed over the whole row at once: `[T][vocabulary]`.
fn recompute(model: &Model, tokens: &[u32], temperature: f64) -> Vec<Vec<f32>> {
    let _guard = tch::no_grad_guard();
    let ids: Vec<i64> = tokens.iter().map(|&t| i64::from(t)).collect();
    let positions = Tensor::arange(ids.len() as i64, (Kind::Int64, Device::Cpu));
    let hidden = model.hidden(&Tensor::from_slice(&ids), &positions, &mut Causal).unwrap();
    let logits = model.logits(&hidden).unwrap().to_kind(Kind::Float) / temperature;
    Vec::try_from(logits.log_softmax(-1, Kind::Float)).unwrap()
}

/// The log-probs of `drawn` behind `past`, recomputed.
fn recomputed(model: &Model, past: &[u32], drawn: &[u32], temperature: f64) -> Vec<f32> {
    let rows = recompute(model, &[past, drawn].concat(), temperature);
    drawn.iter().enumerate().map(|(i, &t)| rows[past.len() + i - 1][t as usize]).collect()
}

fn assert_close(a: &[f32], b: &[f32], tolerance: f32) {
    assert_eq!(a.len(), b.len());
    for (x, y) in a.iter().zip(b) {
        assert!((x - y).abs() <= tolerance, "{x} is not {y}");
    }
}

fn key(learner: u64) -> RngKey {
    RngKey { seed: 11, learner, ..RngKey::default() }
}

fn turn(slot: SlotId, n: usize, learner: u64) -> Turn<'static> {
    Turn { slot, max_new_tokens: n, stop: &[], key: key(learner) }
}

fn decode(decoder: &mut Decoder<'_>, turns: &[Turn<'_>], sampling: &Sampling) -> Vec<Drawn> {
    decoder.decode(turns, sampling, &mut |_, _| {}).unwrap()
}

/// One sequence alone, fed at once.
fn alone(model: &Model, tokens: &[u32], n: usize, learner: u64, sampling: &Sampling) -> Drawn {
    let mut decoder = Decoder::new(model);
    let slot = decoder.open();
    decoder.feed(&[(slot, tokens)]).unwrap();
    decode(&mut decoder, &[turn(slot, n, learner)], sampling).remove(0)
}

const SAMPLING: Sampling = Sampling { temperature: 0.8, top_k: 0, top_p: 1.0, min_p: 0.0 };

//! The decoder against plain forward passes over whole sequences.

use proptest::prelude::*;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::*;
use crate::config::Sampling;
use crate::forest;
use crate::model::testing::tiny;
use crate::model::{Causal, Model};
use crate::testing::in_own_process;
use crate::tokens::{Span, TokenTree, Tokenizer};

/// Tolerance of log-probs in float32: what another order of summation makes.
const CLOSE: f32 = 1e-4;

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

#[test]
fn recorded_log_probs_are_the_recomputed_ones() {
    for model in models() {
        for sampling in
            [SAMPLING, Sampling { top_k: 5, ..SAMPLING }, Sampling { temperature: 1.7, min_p: 0.1, ..SAMPLING }]
        {
            let mut decoder = Decoder::new(&model);
            let prompts: Vec<Vec<u32>> = (0..5).map(|i| prompt(1 + 9 * i, i)).collect();
            let slots: Vec<SlotId> = prompts.iter().map(|_| decoder.open()).collect();
            let items: Vec<(SlotId, &[u32])> = slots.iter().zip(&prompts).map(|(&s, p)| (s, p.as_slice())).collect();
            decoder.feed(&items).unwrap();
            let turns: Vec<Turn<'_>> = slots.iter().enumerate().map(|(i, &s)| turn(s, 8 + 5 * i, i as u64)).collect();
            for (i, drawn) in decode(&mut decoder, &turns, &sampling).iter().enumerate() {
                assert_eq!((drawn.tokens.len(), drawn.stopped), (8 + 5 * i, false));
                let want = recomputed(&model, &prompts[i], &drawn.tokens, sampling.temperature);
                assert_close(&drawn.log_probs, &want, CLOSE);
            }
        }
    }
}

#[test]
fn recorded_log_probs_are_those_of_the_forest_pass() {
    for model in models() {
        // A group of four behind one prompt, as a tree of one prefix and four branches.
        let prompt = prompt(25, 4);
        let mut decoder = Decoder::new(&model);
        let trunk = decoder.open();
        decoder.feed(&[(trunk, &prompt)]).unwrap();
        let group: Vec<SlotId> = (0..4).map(|_| decoder.fork(trunk, 25).unwrap()).collect();
        let turns: Vec<Turn<'_>> = group.iter().enumerate().map(|(i, &s)| turn(s, 6 + i, i as u64)).collect();
        let drawn = decode(&mut decoder, &turns, &SAMPLING);
        let mut tree = TokenTree::default();
        let root = tree.push(None, &prompt).unwrap();
        for branch in &drawn {
            let segment = tree.push(Some(root), &branch.tokens).unwrap();
            tree.target(Span { segment, start: 0, len: branch.tokens.len() }).unwrap();
        }
        let options = forest::Options { temperature: 0.8, ..forest::Options::default() };
        let read = forest::log_probs(&model, &[&tree.flatten()], &options).unwrap();
        let recorded: Vec<f32> = drawn.iter().flat_map(|d| d.log_probs.clone()).collect();
        assert_close(&recorded, &read[0].log_probs, CLOSE);
    }
}

#[test]
fn greedy_decoding_is_the_argmax_of_full_recomputation() {
    for model in models() {
        let mut tokens = prompt(12, 2);
        let drawn = alone(&model, &tokens, 20, 0, &Sampling::GREEDY);
        for (&token, &log_prob) in drawn.tokens.iter().zip(&drawn.log_probs) {
            let row = recompute(&model, &tokens, 1.0).pop().unwrap();
            let best = (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b]).then(b.cmp(&a))).unwrap();
            assert_eq!(token as usize, best);
            assert!((row[best] - log_prob).abs() < CLOSE);
            tokens.push(token);
        }
    }
}

#[test]
fn turns_with_feedback_between_them_are_one_sequence() {
    for model in models() {
        let mut decoder = Decoder::new(&model);
        let slot = decoder.open();
        let mut past = Vec::new();
        for round in 0..4u64 {
            // Short and long feedback: both ways of attending are used.
            let feedback = prompt([3, 30, 1, 12][round as usize], 40 + round as usize);
            decoder.feed(&[(slot, &feedback)]).unwrap();
            past.extend(feedback);
            let drawn = decode(&mut decoder, &[turn(slot, 7, round)], &SAMPLING).remove(0);
            assert_close(&drawn.log_probs, &recomputed(&model, &past, &drawn.tokens, 0.8), CLOSE);
            past.extend(&drawn.tokens);
            assert_eq!(decoder.tokens(slot).unwrap(), past);
        }
    }
}

#[test]
fn a_fork_draws_what_a_fresh_feed_draws() {
    for model in models() {
        let tokens = prompt(40, 5);
        let mut decoder = Decoder::new(&model);
        let trunk = decoder.open();
        decoder.feed(&[(trunk, &tokens)]).unwrap();
        // At the start, inside a block of lanes, at its edges, at the end.
        let cuts = [1, 2, 15, 16, 17, 33, 40];
        let forks: Vec<SlotId> = cuts.iter().map(|&len| decoder.fork(trunk, len).unwrap()).collect();
        let turns: Vec<Turn<'_>> = forks.iter().enumerate().map(|(i, &s)| turn(s, 12, i as u64)).collect();
        let drawn = decode(&mut decoder, &turns, &SAMPLING);
        for (i, &len) in cuts.iter().enumerate() {
            let fresh = alone(&model, &tokens[..len], 12, i as u64, &SAMPLING);
            assert_eq!(drawn[i].tokens, fresh.tokens);
            assert_close(&drawn[i].log_probs, &fresh.log_probs, CLOSE);
        }
        // A fork of a fork, after the trunk is gone and its sibling has gone on.
        decoder.close(trunk);
        let len = decoder.len(forks[3]).unwrap();
        let again = decoder.fork(forks[3], len - 4).unwrap();
        let past = decoder.tokens(again).unwrap().to_vec();
        let drawn = decode(&mut decoder, &[turn(again, 6, 99)], &SAMPLING).remove(0);
        assert_close(&drawn.log_probs, &recomputed(&model, &past, &drawn.tokens, 0.8), CLOSE);
    }
}

#[test]
fn the_company_of_a_sequence_changes_nothing() {
    for model in models() {
        let prompts: Vec<Vec<u32>> = (0..6).map(|i| prompt(4 + 11 * i, i)).collect();
        let want: Vec<Drawn> =
            prompts.iter().enumerate().map(|(i, p)| alone(&model, p, 10 + i, i as u64, &SAMPLING)).collect();
        for order in [[0usize, 1, 2, 3, 4, 5], [5, 3, 1, 0, 2, 4]] {
            for budget in [1, 7, 4096] {
                let mut decoder = Decoder::new(&model).with_feed_budget(budget);
                let slots: Vec<SlotId> = order.iter().map(|_| decoder.open()).collect();
                let items: Vec<(SlotId, &[u32])> =
                    slots.iter().zip(order).map(|(&s, i)| (s, prompts[i].as_slice())).collect();
                decoder.feed(&items).unwrap();
                let turns: Vec<Turn<'_>> = slots.iter().zip(order).map(|(&s, i)| turn(s, 10 + i, i as u64)).collect();
                for (drawn, i) in decode(&mut decoder, &turns, &SAMPLING).iter().zip(order) {
                    assert_eq!(drawn.tokens, want[i].tokens);
                    assert_close(&drawn.log_probs, &want[i].log_probs, CLOSE);
                }
            }
        }
    }
}

#[test]
fn turns_may_join_while_others_decode() {
    let model = models().remove(0);
    let prompts = [prompt(9, 1), prompt(20, 2)];
    let mut decoder = Decoder::new(&model);
    let slots = [decoder.open(), decoder.open()];
    decoder.feed(&[(slots[0], &prompts[0])]).unwrap();
    let first = decoder.begin(&turn(slots[0], 9, 0)).unwrap();
    for _ in 0..4 {
        assert!(decoder.step(&SAMPLING).unwrap().is_empty());
    }
    assert!(decoder.feed(&[(slots[0], &[1])]).is_err(), "a decoding slot cannot be fed");
    assert!(decoder.begin(&turn(slots[0], 9, 0)).is_err());
    decoder.feed(&[(slots[1], &prompts[1])]).unwrap();
    let second = decoder.begin(&turn(slots[1], 7, 1)).unwrap();
    let mut ended = Vec::new();
    while decoder.decoding() > 0 {
        ended.extend(decoder.step(&SAMPLING).unwrap());
    }
    assert_eq!(ended.iter().map(|e| e.0).collect::<Vec<_>>(), [first, second]);
    for (i, (_, drawn)) in ended.iter().enumerate() {
        assert_eq!(drawn.tokens, alone(&model, &prompts[i], 9 - 2 * i, i as u64, &SAMPLING).tokens);
    }
}

#[test]
fn stop_tokens_budgets_and_the_order_of_endings() {
    let model = models().remove(0);
    let tokens = prompt(10, 7);
    let free = alone(&model, &tokens, 12, 0, &SAMPLING);
    // Stop at a token that this key draws at some place, at its first place.
    let stop = free.tokens[5];
    let place = free.tokens.iter().position(|&t| t == stop).unwrap();
    let mut decoder = Decoder::new(&model);
    let slots: Vec<SlotId> = (0..4).map(|_| decoder.open()).collect();
    decoder.feed(&slots.iter().map(|&s| (s, tokens.as_slice())).collect::<Vec<_>>()).unwrap();
    let with = |slot, max_new_tokens, stop| Turn { slot, max_new_tokens, stop, key: key(0) };
    let stops = [stop];
    let turns =
        [with(slots[0], 12, &[][..]), with(slots[1], 12, &stops), with(slots[2], 2, &[]), with(slots[3], 0, &[])];
    let mut order = Vec::new();
    let drawn = decoder.decode(&turns, &SAMPLING, &mut |i, d| order.push((i, d.tokens.len()))).unwrap();
    assert_eq!(drawn[0].tokens, free.tokens);
    assert_eq!(drawn[1].tokens, free.tokens[..=place]);
    assert_eq!(drawn[2].tokens, free.tokens[..2]);
    assert!(drawn[3].tokens.is_empty());
    assert_eq!(drawn.iter().map(|d| d.stopped).collect::<Vec<_>>(), [false, true, false, false]);
    let mut by_length: Vec<(usize, usize)> = drawn.iter().map(|d| d.tokens.len()).enumerate().collect();
    by_length.sort_by_key(|&(i, n)| (n, i));
    assert_eq!(order, by_length);
    // What was drawn is part of the slot, the stop token too.
    assert_eq!(decoder.tokens(slots[1]).unwrap(), [&tokens[..], &drawn[1].tokens].concat());
}

#[test]
fn a_stop_text_ends_a_turn_with_the_token_that_completes_it() {
    let tokenizer = Tokenizer::train(["def total(numbers):\n    return sum(numbers)\n"; 5], 300).unwrap();
    let config = tiny("qwen3", json!({"vocab_size": tokenizer.vocab_size()}));
    let model = Model::init(config, 3, Kind::Float, Device::Cpu).unwrap();
    let tokens = prompt(10, 7);
    let free = alone(&model, &tokens, 40, 0, &SAMPLING);
    // What some token in the middle writes, and where it first stands.
    let text = free.tokens[10..].iter().map(|&t| tokenizer.decode(&[t]).unwrap()).find(|t| t.is_ascii()).unwrap();
    let written = |n: usize| tokenizer.decode(&free.tokens[..n]).unwrap();
    let place = (1..=40).find(|&n| written(n).contains(&text)).unwrap();
    let texts = ["no such text".to_string(), text];
    let mut decoder = Decoder::new(&model).with_stop_text(&tokenizer, &texts);
    let slot = decoder.open();
    decoder.feed(&[(slot, &tokens)]).unwrap();
    let drawn = decode(&mut decoder, &[turn(slot, 40, 0)], &SAMPLING).remove(0);
    assert_eq!(drawn.tokens, free.tokens[..place]);
    assert!(drawn.complete() && drawn.stopped_by_text && !drawn.stopped && !free.complete());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Groups of learners over several turns with feedback in between: what was recorded is what a forest pass over the
    /// finished tree computes.
    #[test]
    fn recorded_log_probs_are_recomputed_whatever_the_shape(
        kind in 0usize..3, prompt in prop::collection::vec(0u32..96, 1..60), samples in 1usize..5,
        turns in prop::collection::vec((1usize..12, prop::collection::vec(0u32..96, 1..20)), 1..4),
        temperature in 0.3f64..2.0, top_p in prop::sample::select(vec![1.0, 0.8]), top_k in prop::sample::select(vec![0usize, 7]),
        budget in 1usize..80, seed in any::<u64>(),
    ) {
        let model = models().remove(kind);
        let sampling = Sampling { temperature, top_p, top_k, min_p: 0.0 };
        let mut decoder = Decoder::new(&model).with_feed_budget(budget);
        let trunk = decoder.open();
        decoder.feed(&[(trunk, &prompt)]).unwrap();
        let slots: Vec<SlotId> = (0..samples).map(|_| decoder.fork(trunk, prompt.len()).unwrap()).collect();
        let mut tree = TokenTree::default();
        let root = tree.push(None, &prompt).unwrap();
        let mut ends = vec![root; samples];
        let mut recorded = Vec::new();
        for (number, (length, feedback)) in turns.iter().enumerate() {
            let key = |sample: usize| RngKey { seed, sample: sample as u32, turn: number as u32, ..RngKey::default() };
            // Not all are equally long.
            let requests: Vec<Turn<'_>> = slots.iter().enumerate()
                .map(|(i, &slot)| Turn { slot, max_new_tokens: length + i, stop: &[], key: key(i) }).collect();
            for (i, drawn) in decode(&mut decoder, &requests, &sampling).into_iter().enumerate() {
                let segment = tree.push(Some(ends[i]), &drawn.tokens).unwrap();
                tree.target(Span { segment, start: 0, len: drawn.tokens.len() }).unwrap();
                ends[i] = tree.push(Some(segment), feedback).unwrap();
                recorded.extend(drawn.log_probs);
            }
            let items: Vec<(SlotId, &[u32])> = slots.iter().map(|&s| (s, feedback.as_slice())).collect();
            decoder.feed(&items).unwrap();
        }
        let options = forest::Options { temperature, ..forest::Options::default() };
        let read = forest::log_probs(&model, &[&tree.flatten()], &options).unwrap();
        assert_close(&recorded, &read[0].log_probs, 2.0 * CLOSE);
    }
}

#[test]
fn keys_make_the_draws_and_nothing_else_does() {
    let model = models().remove(0);
    let tokens = prompt(10, 7);
    let a = alone(&model, &tokens, 16, 0, &SAMPLING);
    assert_eq!(a, alone(&model, &tokens, 16, 0, &SAMPLING));
    assert_ne!(a.tokens, alone(&model, &tokens, 16, 1, &SAMPLING).tokens);
}

#[test]
fn keys_and_values_in_tensors_give_the_same() {
    for model in models() {
        let tokens = prompt(30, 3);
        let mut runs = [true, false].map(|on_host| {
            let mut decoder = Decoder::keeping(&model, on_host).with_feed_budget(25);
            let trunk = decoder.open();
            decoder.feed(&[(trunk, &tokens)]).unwrap();
            let branches: Vec<SlotId> = (0..3).map(|_| decoder.fork(trunk, 30).unwrap()).collect();
            let turns: Vec<Turn<'_>> = branches.iter().enumerate().map(|(i, &s)| turn(s, 40, i as u64)).collect();
            let mut drawn = decode(&mut decoder, &turns, &SAMPLING);
            let items: Vec<(SlotId, &[u32])> = branches.iter().map(|&s| (s, &tokens[..13])).collect();
            decoder.feed(&items).unwrap();
            drawn.extend(decode(&mut decoder, &turns, &SAMPLING));
            drawn
        });
        let (device, host) = (std::mem::take(&mut runs[1]), std::mem::take(&mut runs[0]));
        for (a, b) in host.iter().zip(&device) {
            assert_eq!(a.tokens, b.tokens);
            assert_close(&a.log_probs, &b.log_probs, CLOSE);
        }
    }
}

#[test]
fn bfloat16_models_decode_close_to_what_is_recomputed() {
    let config = tiny("qwen3", json!({"initializer_range": 0.1}));
    let model = Model::init(config, 3, Kind::BFloat16, Device::Cpu).unwrap();
    let tokens = prompt(30, 3);
    let drawn = alone(&model, &tokens, 20, 0, &SAMPLING);
    assert_close(&drawn.log_probs, &recomputed(&model, &tokens, &drawn.tokens, 0.8), 0.05);
}

#[test]
fn nothing_is_kept_of_closed_slots_and_no_graph_is_built() {
    let model = models().remove(0);
    let mut decoder = Decoder::new(&model);
    let slot = decoder.open();
    decoder.feed(&[(slot, &prompt(20, 1))]).unwrap();
    let branch = decoder.fork(slot, 10).unwrap();
    decode(&mut decoder, &[turn(branch, 3, 0)], &SAMPLING);
    decoder.close(slot);
    decoder.close(slot);
    assert!(decoder.tokens(slot).is_err() && decoder.fork(slot, 1).is_err() && decoder.feed(&[(slot, &[1])]).is_err());
    assert_eq!(decoder.len(branch).unwrap(), 13);
    let hidden = decoder.forward(&[(branch, 1)]).unwrap();
    assert!(!hidden.requires_grad());
}

#[test]
fn what_cannot_be_done_is_refused() {
    let model = models().remove(0);
    let mut decoder = Decoder::new(&model);
    let slot = decoder.open();
    let refused = |result: crate::Result<Vec<Drawn>>, word: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(word), "{message}");
    };
    refused(decoder.decode(&[turn(slot, 3, 0)], &SAMPLING, &mut |_, _| {}), "prompt");
    assert!(decoder.feed(&[(slot, &[96])]).unwrap_err().to_string().contains("vocabulary of 96"));
    assert!(decoder.feed(&[(slot, &[1]), (slot, &[2])]).unwrap_err().to_string().contains("twice"));
    assert!(decoder.is_empty(slot).unwrap(), "a refused feed leaves nothing behind");
    decoder.feed(&[(slot, &[1, 2])]).unwrap();
    assert!(decoder.fork(slot, 3).is_err());
    refused(decoder.decode(&[turn(slot, 3, 0); 2], &SAMPLING, &mut |_, _| {}), "one turn");
    refused(decoder.decode(&[turn(slot, 3, 0)], &Sampling { top_p: 2.0, ..SAMPLING }, &mut |_, _| {}), "top_p");
    assert_eq!(decoder.decoding(), 0);
    assert_eq!(decode(&mut decoder, &[turn(slot, 3, 0)], &SAMPLING)[0].tokens.len(), 3);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    in_own_process(module_path!(), "the_number_of_threads_changes_nothing", || {
        let model = models().remove(0);
        let prompts: Vec<Vec<u32>> = (0..6).map(|i| prompt(5 + 11 * i, i)).collect();
        let run = |threads| {
            tch::set_num_threads(threads);
            let mut decoder = Decoder::new(&model);
            let slots: Vec<SlotId> = prompts.iter().map(|_| decoder.open()).collect();
            let items: Vec<(SlotId, &[u32])> = slots.iter().zip(&prompts).map(|(&s, p)| (s, p.as_slice())).collect();
            decoder.feed(&items).unwrap();
            let turns: Vec<Turn<'_>> = slots.iter().enumerate().map(|(i, &s)| turn(s, 10, i as u64)).collect();
            decode(&mut decoder, &turns, &SAMPLING)
        };
        let (one, three) = (run(1), run(3));
        for (a, b) in one.iter().zip(&three) {
            assert_eq!(a.tokens, b.tokens);
            assert_close(&a.log_probs, &b.log_probs, CLOSE);
        }
    });
}

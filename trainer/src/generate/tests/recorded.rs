//! What is recorded when a token is drawn is what a plain pass over the whole sequence computes.

use super::*;

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
        assert_close(&recorded, &read[0].log_probs, same());
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
        assert_close(&recorded, &read[0].log_probs, same());
    }
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

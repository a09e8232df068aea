//! How turns end, what is given back, and what is refused.

use super::*;

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

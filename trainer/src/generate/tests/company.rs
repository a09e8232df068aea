//! What a sequence draws depends on itself and its key: not on its company, the schedule or the threads.

use super::*;

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
fn keys_make_the_draws_and_nothing_else_does() {
    let model = models().remove(0);
    let tokens = prompt(10, 7);
    let a = alone(&model, &tokens, 16, 0, &SAMPLING);
    assert_eq!(a, alone(&model, &tokens, 16, 0, &SAMPLING));
    assert_ne!(a.tokens, alone(&model, &tokens, 16, 1, &SAMPLING).tokens);
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

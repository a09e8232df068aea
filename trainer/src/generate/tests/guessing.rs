//! Guesses change how many passes a text takes, and not one bit of it.

use super::*;
use crate::config::LoraConfig;

/// What some slots draw, and in how many passes.
fn draw(model: &Model, slots: usize, guessing: bool, sampling: &Sampling, stop: &[u32]) -> (Vec<Drawn>, u64) {
    let mut decoder = Decoder::new(model).with_guessing(guessing);
    let ids: Vec<SlotId> = (0..slots).map(|_| decoder.open()).collect();
    // The second half of a prompt is the first again, with one token changed.
    let prompts: Vec<Vec<u32>> = (0..slots)
        .map(|i| {
            let mut twice = prompt(12 + i, i).repeat(2);
            twice[16 + i] = 95;
            twice
        })
        .collect();
    let items: Vec<(SlotId, &[u32])> = ids.iter().zip(&prompts).map(|(&id, p)| (id, p.as_slice())).collect();
    decoder.feed(&items).unwrap();
    let turns: Vec<Turn<'_>> =
        ids.iter().enumerate().map(|(i, &id)| Turn { stop, ..turn(id, 7 * i + 30, i as u64) }).collect();
    let first = decode(&mut decoder, &turns, sampling);
    // A second turn behind an answer, on what the first has left in the cache.
    decoder.feed(&ids.iter().map(|&id| (id, &[5u32, 6, 7, 5, 6][..])).collect::<Vec<_>>()).unwrap();
    let again: Vec<Turn<'_>> = ids.iter().enumerate().map(|(i, &id)| turn(id, 25, 100 + i as u64)).collect();
    let second = decode(&mut decoder, &again, sampling);
    for ((id, prompt), (a, b)) in ids.iter().zip(&prompts).zip(first.iter().zip(&second)) {
        let all = [&prompt[..], &a.tokens, &[5, 6, 7, 5, 6], &b.tokens].concat();
        assert_eq!(decoder.tokens(*id).unwrap(), all);
    }
    (first.into_iter().chain(second).collect(), decoder.passes)
}

#[test]
fn guesses_change_no_bit() {
    let mut models = models();
    let mut adapted = Model::init(tiny("qwen3", json!({})), 3, Kind::Float, Device::Cpu).unwrap();
    adapted.add_lora(&LoraConfig { rank: 4, ..LoraConfig::default() }, 5).unwrap();
    // Adapters begin at zero; these are to do something.
    for parameter in adapted.trainable() {
        let mut noise = parameter.tensor.shallow_clone();
        let _ = tch::no_grad(|| noise.uniform_(-0.2, 0.2));
    }
    models.push(adapted);
    models.push(Model::init(tiny("qwen3", json!({})), 3, Kind::BFloat16, Device::Cpu).unwrap());
    for model in &models {
        let cool = Sampling { temperature: 0.02, ..SAMPLING };
        for sampling in [SAMPLING, cool, Sampling::GREEDY, Sampling { top_p: 0.9, ..cool }] {
            for slots in [1, 2, 5, 17] {
                let (plain, steps) = draw(model, slots, false, &sampling, &[]);
                let (guessed, passes) = draw(model, slots, true, &sampling, &[]);
                assert_eq!(plain, guessed, "{slots} slots");
                assert!(passes <= steps);
                let stops = [plain[0].tokens[6], plain[slots - 1].tokens[11]];
                let one = |guessing| draw(model, slots, guessing, &sampling, &stops).0;
                assert_eq!(one(false), one(true), "{slots} slots, stop tokens");
            }
        }
    }
}

/// Where the next token depends on the last one alone, a greedy text soon goes round in a circle: every guess is right.
#[test]
fn a_text_that_can_be_guessed_takes_few_passes() {
    let model = Model::init(tiny("qwen3", json!({})), 3, Kind::Float, Device::Cpu).unwrap();
    for parameter in model.trainable().iter().filter(|p| p.name.ends_with("o_proj.weight")) {
        model.set_trainable(&parameter.name, &parameter.tensor.zeros_like()).unwrap();
    }
    let passes = |guessing| {
        let mut decoder = Decoder::new(&model).with_guessing(guessing);
        let slot = decoder.open();
        decoder.feed(&[(slot, &prompt(9, 4))]).unwrap();
        (decode(&mut decoder, &[turn(slot, 200, 0)], &Sampling::GREEDY), decoder.passes)
    };
    let ((plain, steps), (guessed, few)) = (passes(false), passes(true));
    assert_eq!((steps, &plain), (200, &guessed));
    assert!(few < 60, "{few} passes");
}

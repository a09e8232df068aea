//! One trajectory through the rooms: submissions written as diffs in prompts and in preference pairs.

use super::*;
use crate::config::{DialogueSettings, Feedback, PairStrategy, Representation};
use crate::tokens::SegmentId;
use crate::traces::testing::trajectory;
use std::collections::BTreeSet;

const PROGRAMS: [&str; 5] = [
    "a = 0\nb = 0\nc = 0\nd = 0\ne = 0\nf = 0",
    "a = 0\nb = 1\nc = 0\nd = 0\ne = 0\nf = 0",
    "a = 0\nb = 1\nc = 2\nd = 0\ne = 0\nf = 0",
    "a = 0\nb = 1\nc = 2\nd = 3\ne = 0\nf = 0",
    "a = 4\nb = 1\nc = 2\nd = 3\ne = 4\nf = 0",
];

fn workshop(representation: Representation, max_tokens: usize) -> Workshop {
    let dialogue = DialogueSettings {
        system_prompt: Some(String::new()),
        representation,
        feedback: Feedback::None,
        max_tokens,
        reserve_tokens: 40,
        ..Default::default()
    };
    testing::workshop(&Run { dialogue, ..Run::default() }, "Do.")
}

fn student() -> Trajectory {
    trajectory("s", "p", &PROGRAMS.map(|program| (program, 0.0)))
}

/// The submissions of a conversation in tokens, each read after the one before it and the oldest after none.
fn read(workshop: &Workshop, tokens: &[u32]) -> Vec<String> {
    let text = workshop.renderer.tokenizer().decode(tokens).unwrap();
    let turns = text.split("<|im_start|>assistant\n").skip(1).filter_map(|turn| Some(turn.split_once("<|im_end|>")?.0));
    let mut programs: Vec<String> = Vec::new();
    for turn in turns {
        let program = workshop.dialogue.program(turn, programs.last().map(String::as_str));
        programs.push(program.unwrap().unwrap_or_else(|| panic!("no program: {turn}")));
    }
    programs
}

/// From the preamble alone up to the whole conversation.
fn sizes() -> impl Iterator<Item = Workshop> {
    (100..420).step_by(20).map(|max_tokens| workshop(Representation::Dual, max_tokens))
}

#[test]
fn a_small_change_is_a_diff_and_the_oldest_that_is_left_is_whole() {
    let workshop = workshop(Representation::Dual, 4000);
    let said = workshop.said(&student(), 5).unwrap().unwrap();
    let kinds = |said: &Said| -> String {
        let own = said.turns.iter().filter(|(role, _)| *role == Role::Assistant);
        own.map(|(_, text)| if text.starts_with("```diff") { 'd' } else { 'w' }).collect()
    };
    assert_eq!(kinds(&said), "wdddw");
    let mut found = BTreeSet::new();
    for workshop in sizes() {
        for position in 0..=PROGRAMS.len() {
            let start = workshop.start(&student(), position, RngKey::default()).unwrap().unwrap();
            let (programs, said) =
                (read(&workshop, &start.prompt), workshop.said(&student(), position).unwrap().unwrap());
            assert_eq!(programs, PROGRAMS[position - programs.len()..position]);
            assert_eq!(
                (start.program.as_deref(), &start.program),
                (programs.last().map(String::as_str), &said.program)
            );
            assert!(start.prompt.len() == said.tokens && said.tokens + 40 <= workshop.run.dialogue.max_tokens);
            let text = workshop.renderer.tokenizer().decode(&start.prompt).unwrap();
            assert!(said.turns.iter().all(|(_, said)| text.contains(said.as_str())));
            assert_eq!(said.turns.len(), 1 + 2 * programs.len());
            found.insert(kinds(&said));
        }
    }
    let expected = ["", "w", "wd", "wdd", "wddd", "wdddw", "wddw", "wdw", "ww"];
    assert!(found.iter().all(|kinds| expected.contains(&kinds.as_str())) && found.len() >= 7, "{found:?}");
}

#[test]
fn every_target_can_be_read_from_the_tree_that_it_is_in() {
    let (mut cut, mut compared) = (0, 0);
    for mut workshop in sizes() {
        let built = workshop.sft_trees(&student()).unwrap();
        assert!(built.too_long.is_empty());
        for tree in &built.trees {
            let programs = read(&workshop, &tree.tree.path(SegmentId(0)));
            let end = tree.steps.last().unwrap() + 1;
            assert_eq!(programs, PROGRAMS[end - programs.len()..end]);
            assert!(tree.tree.len() <= workshop.run.dialogue.max_tokens);
            cut += usize::from(programs.len() < end);
        }
        workshop.run.dpo.pairs = PairStrategy::Next;
        for tree in workshop.pair_trees(&student()).unwrap().trees {
            for sides in &tree.pairs {
                let path = |span: usize| read(&workshop, &tree.tree.path(tree.tree.spans()[span].segment));
                let (chosen, rejected) = (path(sides.chosen), path(sides.rejected));
                let (last, before) = rejected.split_last().unwrap();
                assert_eq!(last, PROGRAMS[sides.pair.rejected]);
                assert_eq!(before, &PROGRAMS[sides.pair.chosen - before.len()..sides.pair.chosen]);
                assert_eq!(chosen[..before.len()], *before);
                assert_eq!(chosen[before.len()], PROGRAMS[sides.pair.chosen]);
                compared += 1;
            }
        }
    }
    assert!(cut >= 10 && compared >= 20, "{cut} {compared}");
}

#[test]
fn programs_that_are_always_whole_are_rejected_as_they_were_written() {
    let mut workshop = workshop(Representation::Code, 4000);
    workshop.run.dpo.pairs = PairStrategy::Next;
    let built = workshop.pair_trees(&student()).unwrap();
    let transcript = workshop.transcript(&student()).unwrap();
    let tree = &built.trees[0];
    for sides in &tree.pairs {
        let span = tree.tree.spans()[sides.rejected];
        let path = tree.tree.path(span.segment);
        assert_eq!(path[path.len() - span.len..], *transcript.exchanges[sides.pair.rejected].body.at(false));
    }
    assert_eq!(tree.pairs.len(), 2);
}

//! Learners whose turns are given, through the loop's own code: what is handed in, graded, told, and why it ends.

use super::learner::Learner;
use super::{Classroom, End, Limits, Rollout, Start};
use crate::config::{DialogueSettings, Representation, Sampling, Template};
use crate::dialogue::{Dialogue, fence, fence_diff};
use crate::generate::{Decoder, Drawn, RngKey};
use crate::model::Model;
use crate::model::testing::tiny;
use crate::tokens::testing::renderer;
use crate::traces::testing::{pool, problem};
use std::time::Duration;
use tch::{Device, Kind};

/// A learner who says `texts` after the program `before`, on a problem that `x = 1` solves.
fn play(representation: Representation, before: Option<&str>, texts: &[String]) -> Rollout {
    let model = Model::init(tiny("qwen3", serde_json::json!({})), 1, Kind::Float, Device::Cpu).unwrap();
    let renderer = renderer(Template::Chatml);
    let dialogue = Dialogue::new(&DialogueSettings { representation, ..Default::default() });
    let room = Classroom {
        model: &model,
        renderer: &renderer,
        dialogue: &dialogue,
        pool: pool(),
        limits: Limits {
            turns: texts.len(),
            max_new_tokens: 200,
            max_tokens: 4000,
            max_repeats: 0,
            grading_delay: Duration::ZERO,
        },
        sampling: Sampling::GREEDY,
        stop: &[],
    };
    let program = before.map(String::from);
    let start = Start { prompt: vec![1, 2, 3], problem: problem("p", "", ""), program, key: RngKey::default() };
    let mut learner = Learner::new(Decoder::new(&model).open(), &start, start.key);
    for text in texts {
        let tokens = renderer.assistant_body(text).unwrap();
        let log_probs = vec![-1.0; tokens.len()];
        let drawn = Drawn { tokens, log_probs, stopped: true, stopped_by_text: false };
        let graded = room.submit(&learner, drawn).unwrap().wait(Duration::ZERO);
        if learner.take(graded, &room).unwrap().is_none() {
            break;
        }
    }
    learner.rollout
}

const BEFORE: &str = "x = 5\ny = 0\nz = 0\nx = 2\nprint(x)";

fn programs(rollout: &Rollout) -> Vec<Option<&str>> {
    rollout.turns.iter().map(|turn| turn.program.as_deref()).collect()
}

#[test]
fn diffs_are_applied_to_the_program_before_and_graded() {
    let texts = [
        fence_diff("@@ -4 +4 @@\n-x = 2\n+x = 3"),
        fence("x = 9\nw = 0"),
        fence_diff("@@ -2,0 +3 @@\n+x = 4"),
        format!("Now it is right:\n{}", fence_diff("@@ -3 +3 @@\n-x = 4\n+x = 1")),
    ];
    let rollout = play(Representation::Dual, Some(BEFORE), &texts);
    let expected =
        ["x = 5\ny = 0\nz = 0\nx = 3\nprint(x)", "x = 9\nw = 0", "x = 9\nw = 0\nx = 4", "x = 9\nw = 0\nx = 1"];
    assert_eq!(programs(&rollout), expected.map(Some));
    assert_eq!(rollout.turns.iter().map(|turn| turn.grade()).collect::<Vec<_>>(), [0.0, 0.0, 0.0, 100.0]);
    assert_eq!(rollout.end, Some(End::Solved));
    assert!(rollout.turns[0].feedback.contains("got 3"), "{}", rollout.turns[0].feedback);
    assert_eq!(rollout.turns[3].text, texts[3], "the text is what was said");
}

#[test]
fn a_diff_that_makes_no_program_ends_the_rollout_and_says_why() {
    let last = fence_diff("@@ -4 +4 @@\n-while x:\n+x = 1");
    let rollout = play(Representation::Dual, Some(BEFORE), &[fence("x = 3"), last.clone()]);
    assert_eq!((programs(&rollout), rollout.end), (vec![Some("x = 3"), None], Some(End::Malformed)));
    let turn = &rollout.turns[1];
    assert!(turn.malformed.as_deref().unwrap().contains("`while x:`") && turn.report.is_none());
    for (before, text, reason) in [
        (None, last.clone(), Some("no program before it")),
        (Some(BEFORE), fence_diff("x = 1"), Some("line 1 of the diff, `x = 1`")),
        (Some(BEFORE), "x = 1".into(), None),
    ] {
        let rollout = play(Representation::Dual, before, &[text]);
        assert_eq!((rollout.turns.len(), rollout.end), (1, Some(End::Malformed)));
        let found = rollout.turns[0].malformed.as_deref();
        assert!(found.is_some() == reason.is_some() && found.unwrap_or_default().contains(reason.unwrap_or_default()));
    }
    // Where submissions are programs, a diff is none.
    let rollout = play(Representation::Code, Some("while x:"), &[last]);
    assert_eq!((rollout.end, rollout.turns[0].malformed.as_deref()), (Some(End::Malformed), None));
}

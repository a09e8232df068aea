//! Rewards that compare a rollout with the student turn by turn, and the gate against copying that all of them pass.
//!
//! Turn `s` runs to `H`, the longer of the two paths within the window. A turn that only one of them took is unlike. At a turn where the
//! rollout sends one of its earlier programs again (by [`normal_form`]) and the student does not, the
//! gate is shut: the turn earns nothing. Two paths of no turns are alike (1).

use crate::codebleu::{Form, codebleu};
use crate::edit::{edit_kind, overlap, touched};
use crate::python::normal_form;
use crate::similarity::{edit_similarity, tree_similarity};
use crate::step::length_penalty;
use crate::track::Track;
use crate::view::{RewardInput, StepView};

/// One turn of either learner, and the program that it began from.
#[derive(Clone, Copy)]
struct Side<'a> {
    step: StepView<'a>,
    before: Option<&'a str>,
}

/// The turns of both, and whether the gate is open.
struct Turn<'a> {
    ours: Option<Side<'a>>,
    theirs: Option<Side<'a>>,
    open: bool,
}

fn sides<'a>(input: &RewardInput<'a>, steps: &'a [StepView<'a>]) -> Vec<Side<'a>> {
    let mut before = input.start.map(|start| start.program);
    let side = |step: &StepView<'a>| {
        let side = Side { step: *step, before };
        before = step.program.or(before);
        side
    };
    steps.iter().map(side).collect()
}

fn turns<'a>(input: &RewardInput<'a>) -> Vec<Turn<'a>> {
    let (ours, theirs) = (sides(input, input.rollout), sides(input, input.student_in_window()));
    let (track, real) = (Track::new(input.start, input.rollout), Track::new(input.start, input.student_in_window()));
    (0..ours.len().max(theirs.len()))
        .map(|turn| Turn {
            ours: ours.get(turn).copied(),
            theirs: theirs.get(turn).copied(),
            open: !track.at(turn).repeats || real.at(turn).repeats,
        })
        .collect()
}

/// The mean over turns of `likeness`, 0 where the gate is shut or only one learner submitted a program.
fn mean_likeness(input: &RewardInput, likeness: impl Fn(Side, &str, Side, &str) -> f64) -> f64 {
    let turns = turns(input);
    let of = |turn: &Turn| match (turn.ours, turn.theirs) {
        (Some(ours), Some(theirs)) if turn.open => match (ours.step.program, theirs.step.program) {
            (Some(program), Some(next)) => likeness(ours, program, theirs, next),
            _ => 0.0,
        },
        _ => 0.0,
    };
    if turns.is_empty() { 1.0 } else { turns.iter().map(of).sum::<f64>() / turns.len() as f64 }
}

/// Share of the rollout's turns at which the gate is open, in 0..=1; 1 for a rollout of no turns.
pub fn novelty(input: &RewardInput) -> f64 {
    let turns = turns(input);
    let taken: Vec<&Turn> = turns.iter().filter(|turn| turn.ours.is_some()).collect();
    let open = taken.iter().filter(|turn| turn.open).count();
    if taken.is_empty() { 1.0 } else { open as f64 / taken.len() as f64 }
}

/// Likeness of the kinds of edits ([`EditKind::likeness`](crate::edit::EditKind::likeness)), in 0..=1.
pub fn edit_kinds(input: &RewardInput) -> f64 {
    mean_likeness(input, |ours, program, theirs, next| {
        edit_kind(ours.before, program).likeness(edit_kind(theirs.before, next))
    })
}

/// Overlap of the stretches that the edits touch ([`overlap`]), in 0..=1; 1 where both began from nothing.
pub fn edit_places(input: &RewardInput) -> f64 {
    mean_likeness(input, |ours, program, theirs, next| match (ours.before, theirs.before) {
        (Some(before), Some(real)) => overlap(touched(before, program), touched(real, next)),
        (None, None) => 1.0,
        _ => 0.0,
    })
}

/// Share of the way to the student's next program that the submission covers, by a similarity `s`:
/// `(s(program, next) - s(before, next)) / (1 - s(before, next))`, clamped to 0..=1; `s` itself where there was no way to go. A program equal to
/// the student's covers all of it, the previous program none.
fn covered(input: &RewardInput, similarity: impl Fn(&str, &str) -> f64) -> f64 {
    mean_likeness(input, |ours, program, _, next| {
        if normal_form(program) == normal_form(next) {
            return 1.0;
        }
        let reached = similarity(next, program);
        let began = ours.before.map_or(0.0, |before| similarity(next, before));
        let share = if began < 1.0 { (reached - began) / (1.0 - began) } else { reached };
        share.clamp(0.0, 1.0)
    })
}

/// The way covered by token edits.
pub fn program_tokens(input: &RewardInput) -> f64 {
    covered(input, edit_similarity)
}

/// The way covered by tree edits.
pub fn program_tree(input: &RewardInput) -> f64 {
    covered(input, tree_similarity)
}

/// The way covered by corrected CodeBLEU.
pub fn program_codebleu(input: &RewardInput) -> f64 {
    covered(input, |next, program| codebleu(next, program, Form::Corrected).total)
}

/// Mean over the rollout's turns of `1 + length_penalty`, in 0..=1; a turn cut off by the limit counts 0; 1 for no turns.
pub fn length(input: &RewardInput) -> f64 {
    let of = |step: &StepView| {
        if step.truncated { 0.0 } else { 1.0 + length_penalty(step.tokens, input.max_new_tokens) }
    };
    let turns = input.rollout.len();
    if turns == 0 { 1.0 } else { input.rollout.iter().map(of).sum::<f64>() / turns as f64 }
}

//! One simulated learner: a small state machine, and what it leaves behind.

use super::{Classroom, Limits, Start};
use crate::dialogue::Dialogue;
use crate::error::Result;
use crate::generate::{Drawn, RngKey, SlotId};
use crate::tokens::{Renderer, answer};
use novice_rewards::python::normal_form;
use novice_rewards::view::SOLVED;
use novice_sandbox::{Problem, Report, Ticket};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Full marks.
    Solved,
    /// It made as many submissions as it may.
    OutOfTurns,
    /// A submission or the conversation became too long.
    OutOfTokens,
    /// A turn held no program, or a diff that does not fit the program before it.
    Malformed,
    /// It said nothing, where that means giving up (`dialogue.give_up`).
    GaveUp,
    /// It sent the same program again and again.
    Repeated,
}

/// A submission and the answer to it.
#[derive(Debug, Clone, Default)]
pub struct Turn {
    /// Sampled tokens, the stop token included where it was drawn.
    pub tokens: Vec<u32>,
    /// Their log-probs when they were drawn.
    pub log_probs: Vec<f32>,
    /// Whether the turn came to an end of its own, by the stop token or a stop text.
    pub stopped: bool,
    /// The turn as text.
    pub text: String,
    /// The program in it, or that its diff makes.
    pub program: Option<String>,
    /// Why its diff makes none.
    pub malformed: Option<String>,
    /// Its grading.
    pub report: Option<Report>,
    /// What the learner was told.
    pub feedback: String,
    /// Tokens appended behind the turn: its end, the feedback, the next header. Empty for the last turn.
    pub reply: Vec<u32>,
}

impl Turn {
    /// The grade, 0 where there was nothing to grade.
    pub fn grade(&self) -> f64 {
        self.report.as_ref().map_or(0.0, |r| r.grade)
    }
}

/// What one learner did.
#[derive(Debug, Clone, Default)]
pub struct Rollout {
    /// Its submissions.
    pub turns: Vec<Turn>,
    /// Why it ended; `None` only while it goes on.
    pub end: Option<End>,
}

impl Rollout {
    /// The turns that were submissions, or should have been: not the one in which the learner gave up.
    pub fn submissions(&self) -> &[Turn] {
        match self.turns.split_last() {
            Some((_, before)) if self.end == Some(End::GaveUp) => before,
            _ => &self.turns,
        }
    }

    /// Takes a graded turn, the next of a conversation of `tokens` tokens: answers it or ends, and counts both there. `closed` says
    /// whether the turn ends with the stop token. Gives the turn with its answer when the rollout goes on.
    ///
    /// # Errors
    /// The tokenizer's.
    pub(crate) fn take(
        &mut self,
        mut turn: Turn,
        closed: bool,
        tokens: &mut usize,
        rules: Rules,
    ) -> Result<Option<&Turn>> {
        let Rules { renderer, dialogue, limits } = rules;
        let feedback = turn.report.as_ref().map(|report| dialogue.feedback(self.turns.len(), report));
        turn.feedback = feedback.as_ref().map(|feedback| feedback.text.clone()).unwrap_or_default();
        let mut end = self.end_with(&turn, dialogue, limits);
        *tokens += turn.tokens.len();
        if let (None, Some(feedback)) = (end, &feedback) {
            let mut reply = answer(renderer, closed, feedback)?;
            reply.extend(renderer.assistant_header());
            if *tokens + reply.len() + 1 >= limits.max_tokens {
                end = Some(End::OutOfTokens);
            } else {
                *tokens += reply.len();
                turn.reply = reply;
            }
        }
        self.turns.push(turn);
        self.end = end;
        Ok(self.turns.last().filter(|_| end.is_none()))
    }

    /// Why the rollout ends with `turn` as its next; `None` when it goes on.
    fn end_with(&self, turn: &Turn, dialogue: &Dialogue, limits: &Limits) -> Option<End> {
        let solved = turn.report.as_ref().is_some_and(|r| r.grade >= SOLVED);
        match (turn.stopped, &turn.program) {
            (false, _) => Some(End::OutOfTokens),
            (true, None) if dialogue.is_given_up(&turn.text) => Some(End::GaveUp),
            (true, None) => Some(End::Malformed),
            (true, Some(_)) if solved => Some(End::Solved),
            (true, Some(program)) if self.repeats(program, limits.max_repeats) => Some(End::Repeated),
            _ if self.turns.len() + 1 == limits.turns => Some(End::OutOfTurns),
            _ => None,
        }
    }

    /// Whether `program` and the `most` submissions before it are all the same program.
    fn repeats(&self, program: &str, most: usize) -> bool {
        let same = |turn: &Turn| turn.program.as_deref().is_some_and(|p| normal_form(p) == normal_form(program));
        most > 0 && self.turns.iter().rev().take_while(|turn| same(turn)).take(most).count() == most
    }
}

/// How turns are answered, and what bounds a rollout.
#[derive(Clone, Copy)]
pub(crate) struct Rules<'a> {
    pub renderer: &'a Renderer,
    pub dialogue: &'a Dialogue,
    pub limits: &'a Limits,
}

/// What a turn hands in.
#[derive(Debug, Default)]
pub(crate) struct HandedIn {
    /// The program.
    pub program: Option<String>,
    /// Why a diff makes none.
    pub malformed: Option<String>,
}

/// What a turn hands in after the program `before`, if the turn came to an end of its own.
pub(crate) fn submitted(dialogue: &Dialogue, text: &str, complete: bool, before: Option<&str>) -> HandedIn {
    if !complete {
        return HandedIn::default();
    }
    match dialogue.program(text, before) {
        Ok(program) => HandedIn { program, malformed: None },
        Err(reason) => HandedIn { program: None, malformed: Some(reason) },
    }
}

/// A turn that was drawn and, when it holds a program, is being graded.
pub(super) struct Submitted {
    drawn: Drawn,
    text: String,
    handed_in: HandedIn,
    ticket: Option<Ticket>,
    since: Instant,
}

/// A turn that was drawn, and its grading.
pub(super) struct Graded {
    drawn: Drawn,
    text: String,
    handed_in: HandedIn,
    report: Option<Report>,
}

impl Submitted {
    /// `grade` is given the program of a turn.
    pub fn new(drawn: Drawn, text: String, handed_in: HandedIn, grade: impl FnOnce(String) -> Ticket) -> Self {
        let ticket = handed_in.program.clone().map(grade);
        Submitted { drawn, text, handed_in, ticket, since: Instant::now() }
    }

    /// Waits for the grade, which is not there before `delay` has passed.
    pub fn wait(self, delay: Duration) -> Graded {
        let Submitted { drawn, text, handed_in, ticket, since } = self;
        if ticket.is_some() {
            std::thread::sleep(delay.saturating_sub(since.elapsed()));
        }
        Graded { drawn, text, handed_in, report: ticket.map(Ticket::wait) }
    }
}

pub(super) struct Learner {
    pub slot: SlotId,
    pub problem: Arc<Problem>,
    pub key: RngKey,
    /// Tokens of the conversation so far.
    pub tokens: usize,
    /// The program handed in last.
    pub program: Option<String>,
    pub rollout: Rollout,
}

impl Learner {
    pub fn new(slot: SlotId, start: &Start, key: RngKey) -> Self {
        let (problem, program, tokens) = (start.problem.clone(), start.program.clone(), start.prompt.len());
        Learner { slot, problem, key, tokens, program, rollout: Rollout::default() }
    }

    /// Takes a graded turn into the rollout. Gives the tokens to read before the next turn, `None` when this was the last.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn take(&mut self, graded: Graded, room: &Classroom) -> Result<Option<Vec<u32>>> {
        let Graded { drawn, text, handed_in: HandedIn { program, malformed }, report } = graded;
        let (stopped, closed) = (drawn.complete(), drawn.stopped);
        let Drawn { tokens, log_probs, .. } = drawn;
        self.program.clone_from(&program);
        let turn = Turn { tokens, log_probs, stopped, text, program, malformed, report, ..Turn::default() };
        let rules = Rules { renderer: room.renderer, dialogue: room.dialogue, limits: &room.limits };
        Ok(self.rollout.take(turn, closed, &mut self.tokens, rules)?.map(|turn| turn.reply.clone()))
    }
}

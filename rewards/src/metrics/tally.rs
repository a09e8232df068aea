//! What is counted of one rollout beside its student. Tallies are vectors of sums: those of several rollouts add up, and every
//! number of a table is a function of the sum ([`super::statistics`]). So intervals cost additions only.

use super::diversity::Memory;
use super::joint::{Pair, curve_distance, curve_score, held_grade};
use super::solving::{CONTEXTS, context};
use crate::codebleu::{Form, codebleu};
use crate::edit::{EditKind, edit_kind, overlap, touched};
use crate::python::{normal_form, words};
use crate::similarity::{edit_similarity, edit_size, levenshtein, tree_similarity};
use crate::trajectory::{size_likeness, trajectory};
use crate::view::{RewardInput, Start, Status, StepView, clean_grade, grade_closeness, outcome};
use serde::{Deserialize, Serialize};

/// Quantities of which a tally holds a sum and a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the statistics document them")]
pub enum Mean {
    Grade,
    Curve,
    CurveScore,
    Outcomes,
    Closeness,
    Status,
    EditSize,
    EditKind,
    EditPlace,
    Tokens,
    Tree,
    CodeBleu,
    Solved,
    SolvedNext,
    FinalGrade,
    Parses,
    Copies,
    TextualBacktrack,
    FunctionalBacktrack,
    Memorised,
}

const MEANS: usize = 20;
const KINDS: usize = EditKind::ALL.len();
/// Rungs of the ladder: no program, does not parse, raised, ran, solved.
pub(crate) const RUNGS: usize = 5;
const TRANSITIONS: usize = RUNGS * RUNGS;
/// Numbers a step of the published protocol: student steps, covered ones, sums of grade proximity, of CodeBLEU.
const PUBLISHED: usize = 4;
/// Numbers a step of the two survival curves: model and student, solved and stopped by then.
const SURVIVAL: usize = 4;
/// Numbers of a context of [`super::solving`]: starts, and those where the model, the student, both solved at the next step.
const SOLVING: usize = 4;

/// Sums over rollouts that were allowed the same number of turns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    turns: usize,
    /// Rollouts.
    pub rollouts: f64,
    sums: Vec<f64>,
}

/// Whose part of a tally.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The rollouts'.
    Model,
    /// The students' they stand beside.
    Student,
}

impl Tally {
    /// Nothing yet, for rollouts of at most `turns` submissions.
    pub fn new(turns: usize) -> Self {
        let size = 2 * MEANS + 2 * KINDS + 2 * TRANSITIONS + (PUBLISHED + SURVIVAL) * turns + CONTEXTS * SOLVING;
        Tally { turns, rollouts: 0.0, sums: vec![0.0; size] }
    }

    /// How many sums it holds: another number means another meaning, and tallies that cannot be added.
    pub fn width(&self) -> usize {
        self.sums.len()
    }

    /// The number of turns that it is for.
    pub fn turns(&self) -> usize {
        self.turns
    }

    /// Adds `weight` times another tally for the same number of turns.
    pub fn add(&mut self, other: &Tally, weight: f64) {
        self.rollouts += weight * other.rollouts;
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum += weight * more;
        }
    }

    /// Sets everything to 0.
    pub fn clear(&mut self) {
        self.rollouts = 0.0;
        self.sums.fill(0.0);
    }

    fn at(&self, index: usize) -> f64 {
        self.sums.get(index).copied().unwrap_or(0.0)
    }

    fn count(&mut self, index: usize, by: f64) {
        if let Some(sum) = self.sums.get_mut(index) {
            *sum += by;
        }
    }

    fn observe_mean(&mut self, what: Mean, value: f64) {
        self.count(2 * what as usize, value);
        self.count(2 * what as usize + 1, 1.0);
    }

    /// The mean of a quantity; `None` where it was never counted.
    pub fn mean(&self, what: Mean) -> Option<f64> {
        let (sum, count) = (self.at(2 * what as usize), self.at(2 * what as usize + 1));
        (count > 0.0).then(|| sum / count)
    }

    fn kinds_at(whose: Whose) -> usize {
        2 * MEANS + if whose == Whose::Model { 0 } else { KINDS }
    }

    fn ladder_at(whose: Whose) -> usize {
        2 * MEANS + 2 * KINDS + if whose == Whose::Model { 0 } else { TRANSITIONS }
    }

    fn published_at(&self, step: usize) -> usize {
        2 * MEANS + 2 * KINDS + 2 * TRANSITIONS + PUBLISHED * step
    }

    fn survival_at(&self, step: usize) -> usize {
        2 * MEANS + 2 * KINDS + 2 * TRANSITIONS + PUBLISHED * self.turns + SURVIVAL * step
    }

    fn solving_at(&self, context: usize) -> usize {
        2 * MEANS + 2 * KINDS + 2 * TRANSITIONS + (PUBLISHED + SURVIVAL) * self.turns + SOLVING * context
    }

    fn run(&self, from: usize, length: usize) -> &[f64] {
        self.sums.get(from..from + length).unwrap_or_default()
    }

    /// How often each kind of edit was made, in the order of [`EditKind::ALL`].
    pub fn kinds(&self, whose: Whose) -> &[f64] {
        self.run(Self::kinds_at(whose), KINDS)
    }

    /// How often each rung of the ladder followed each other.
    pub fn ladder(&self, whose: Whose) -> &[f64] {
        self.run(Self::ladder_at(whose), TRANSITIONS)
    }

    /// At step `step` (from 0): student steps, covered ones, sum of grade proximity, sum of CodeBLEU.
    pub fn published(&self, step: usize) -> &[f64] {
        self.run(self.published_at(step), PUBLISHED)
    }

    /// Shares that had solved, and that had stopped unsolved, by each step (from 0).
    pub fn survival(&self, whose: Whose) -> Vec<(f64, f64)> {
        let offset = if whose == Whose::Model { 0 } else { 2 };
        let all = self.rollouts.max(f64::MIN_POSITIVE);
        let steps = (0..self.turns).map(|step| self.survival_at(step) + offset);
        steps.map(|at| (self.at(at) / all, self.at(at + 1) / all)).collect()
    }

    /// Of the starts of a context: how many there were, and at how many the model, the student, and both had full marks at the next step.
    pub fn solving(&self, context: usize) -> &[f64] {
        self.run(self.solving_at(context), SOLVING)
    }

    /// Counts one rollout. `input.max_turns` is the tally's number of turns. `memory` holds the programs that were trained on,
    /// `others` the grades, turn by turn, of the same policy's other rollouts from the same start.
    pub fn observe(&mut self, input: &RewardInput, memory: &Memory, others: &[Vec<f64>]) {
        let student = input.student_in_window();
        self.rollouts += 1.0;
        self.grades(input, student, others);
        self.observe_mean(Mean::Closeness, trajectory(input).total);
        let solved = input.rollout.iter().any(StepView::solved);
        self.observe_mean(Mean::Solved, f64::from(u8::from(solved)));
        self.observe_mean(Mean::SolvedNext, f64::from(u8::from(input.rollout.first().is_some_and(StepView::solved))));
        let start = input.start.map_or(0.0, |start| clean_grade(start.grade));
        self.solving_next(start, input.rollout.first(), student.first());
        self.observe_mean(Mean::FinalGrade, input.rollout.last().map_or(start, |step| clean_grade(step.grade)));
        self.pairs(input, student);
        for (whose, steps) in [(Whose::Model, input.rollout), (Whose::Student, student)] {
            self.path(whose, input.start, steps);
        }
        self.conduct(input, memory);
        self.published_steps(input.rollout, student);
    }

    /// Whether both had full marks at the next step; a start after which the student submitted nothing says nothing of it.
    fn solving_next(&mut self, start: f64, ours: Option<&StepView>, theirs: Option<&StepView>) {
        let Some(theirs) = theirs else { return };
        let at = self.solving_at(context(start));
        let (ours, theirs) = (ours.is_some_and(StepView::solved), theirs.solved());
        for (place, fact) in [true, ours, theirs, ours && theirs].into_iter().enumerate() {
            self.count(at + place, f64::from(u8::from(fact)));
        }
    }

    /// The joint measures: a learner that has stopped keeps what it has.
    fn grades(&mut self, input: &RewardInput, student: &[StepView], others: &[Vec<f64>]) {
        let start_grade = input.start.map_or(0.0, |start| clean_grade(start.grade));
        let (ours, theirs) = (grades(input.rollout), grades(student));
        let pair = Pair { start_grade, model: &ours, student: &theirs };
        self.observe_mean(Mean::Curve, curve_distance(&pair, self.turns));
        if let Some(score) = curve_score(&pair, others, self.turns) {
            self.observe_mean(Mean::CurveScore, score);
        }
        let held = |steps: &'_ [StepView<'_>], turn: usize| -> Vec<bool> {
            let last = steps.get(turn).or(steps.last()).map(|step| step.passed);
            last.or(input.start.map(|start| start.passed)).unwrap_or_default().to_vec()
        };
        for turn in 0..student.len() {
            let grade = |grades| held_grade(start_grade, grades, turn + 1);
            self.observe_mean(Mean::Grade, grade_closeness(grade(&ours), grade(&theirs)));
            let (passed, real) = (held(input.rollout, turn), held(student, turn));
            let tests = passed.len().max(real.len());
            if tests > 0 {
                let equal = (0..tests).filter(|test| outcome(&passed, *test) == outcome(&real, *test)).count();
                self.observe_mean(Mean::Outcomes, equal as f64 / tests as f64);
            }
        }
    }

    /// Turns at which both submitted a program.
    fn pairs(&mut self, input: &RewardInput, student: &[StepView]) {
        let first = input.start.map(|start| start.program);
        let (mut before, mut real_before) = (first, first);
        for (ours, theirs) in input.rollout.iter().zip(student) {
            self.observe_mean(Mean::Status, f64::from(u8::from(ours.status() == theirs.status())));
            if let (Some(program), Some(next)) = (ours.program, theirs.program) {
                let size = |before: Option<&str>, after: &str| before.map_or(1.0, |before| edit_size(before, after));
                let (made, real) = (size(before, program), size(real_before, next));
                self.observe_mean(Mean::EditSize, size_likeness(Some(made), Some(real)));
                let kinds = edit_kind(before, program).likeness(edit_kind(real_before, next));
                self.observe_mean(Mean::EditKind, kinds);
                if let (Some(before), Some(real_before)) = (before, real_before) {
                    self.observe_mean(Mean::EditPlace, overlap(touched(before, program), touched(real_before, next)));
                }
                self.observe_mean(Mean::Tokens, edit_similarity(program, next));
                self.observe_mean(Mean::Tree, tree_similarity(program, next));
                self.observe_mean(Mean::CodeBleu, codebleu(next, program, Form::Corrected).total);
            }
            before = ours.program.or(before);
            real_before = theirs.program.or(real_before);
        }
    }

    /// Edits, rungs and survival of one path.
    fn path(&mut self, whose: Whose, start: Option<Start>, steps: &[StepView]) {
        let mut before = start.map(|start| start.program);
        // Of the submission before the path only the grade is known, so its transition is left out.
        let mut rung = None;
        for step in steps {
            if let Some(program) = step.program {
                self.count(Self::kinds_at(whose) + edit_kind(before, program) as usize, 1.0);
                before = Some(program);
            }
            let next = rung_of(step);
            if let Some(from) = rung.replace(next) {
                self.count(Self::ladder_at(whose) + RUNGS * from + next, 1.0);
            }
        }
        let solved = steps.iter().position(StepView::solved);
        let offset = if whose == Whose::Model { 0 } else { 2 };
        for step in 0..self.turns {
            let at = self.survival_at(step) + offset;
            self.count(at, f64::from(u8::from(solved.is_some_and(|turn| turn <= step))));
            self.count(at + 1, f64::from(u8::from(solved.is_none() && steps.len() <= step)));
        }
    }

    /// What the rollout does by itself.
    fn conduct(&mut self, input: &RewardInput, memory: &Memory) {
        let mut before = input.start.map(|start| (normal_form(start.program), passes(start.passed)));
        let last = input.rollout.iter().rev().find_map(|step| step.program);
        let to_last = |program: &str| last.map_or(0, |last| levenshtein(&words(program), &words(last)));
        let mut distance = input.start.map(|start| to_last(start.program));
        for step in input.rollout {
            let parses = !matches!(step.status(), Status::Malformed | Status::DoesNotParse);
            self.observe_mean(Mean::Parses, f64::from(u8::from(parses)));
            let Some(program) = step.program else { continue };
            let (form, passed, left) = (normal_form(program), passes(step.passed), to_last(program));
            if let Some((earlier, fewer)) = &before {
                self.observe_mean(Mean::Copies, f64::from(u8::from(*earlier == form)));
                self.observe_mean(Mean::FunctionalBacktrack, f64::from(u8::from(passed < *fewer)));
            }
            if let Some(earlier) = distance {
                self.observe_mean(Mean::TextualBacktrack, f64::from(u8::from(left > earlier)));
            }
            self.observe_mean(Mean::Memorised, f64::from(u8::from(memory.has_program(program))));
            (before, distance) = (Some((form, passed)), Some(left));
        }
    }

    /// The published protocol: what it counts at each of the student's steps.
    fn published_steps(&mut self, rollout: &[StepView], student: &[StepView]) {
        for (step, theirs) in student.iter().enumerate() {
            let at = self.published_at(step);
            self.count(at, f64::from(u8::from(theirs.program.is_some_and(|code| !code.trim().is_empty()))));
            let Some(ours) = rollout.get(step) else { continue };
            // A turn without a program is a text that resembles nothing; as published it is scored as the text that it was.
            let code = ours.program.unwrap_or("?");
            let row = super::published::Row {
                step: step + 1,
                student_code: theirs.program.unwrap_or_default(),
                model_code: Some(code),
                student_grade: theirs.grade,
                model_grade: Some(ours.grade),
            };
            if row.is_covered() {
                self.count(at + 1, 1.0);
                self.count(at + 2, row.grade_proximity().unwrap_or(0.0));
                self.count(at + 3, codebleu(row.student_code, code, Form::Published).total);
            }
        }
    }
}

/// The grades of a path, turn by turn.
pub fn grades(steps: &[StepView]) -> Vec<f64> {
    steps.iter().map(|step| clean_grade(step.grade)).collect()
}

fn passes(passed: &[bool]) -> usize {
    passed.iter().filter(|passed| **passed).count()
}

fn rung_of(step: &StepView) -> usize {
    match step.status() {
        Status::Malformed => 0,
        Status::DoesNotParse => 1,
        Status::Raised => 2,
        Status::Ran if step.solved() => 4,
        Status::Ran => 3,
    }
}

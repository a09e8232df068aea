//! One learner's path, turn by turn, with the last state held after it stops.

use std::collections::HashSet;

use super::edit_from;
use crate::python::normal_form;
use crate::view::{Start, Status, StepView, clean_grade};

/// What a learner's record says at one turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point<'a> {
    pub(super) grade: f64,
    pub(super) passed: &'a [bool],
    pub(super) status: Status,
    /// Whether the turn's program is one of the learner's earlier ones. Never true of a turn not taken.
    pub(super) repeats: bool,
    /// The size of the edit that made the turn's program; `None` for a turn not taken.
    pub(super) edit_size: Option<f64>,
}

/// A learner's path.
pub(super) struct Track<'a> {
    points: Vec<Point<'a>>,
    /// The state before the first turn.
    origin: Point<'a>,
    /// The first turn (from 0) with full marks.
    pub(super) solved: Option<usize>,
}

impl<'a> Track<'a> {
    pub(super) fn new(start: Option<Start<'a>>, steps: &[StepView<'a>]) -> Self {
        let origin = Point {
            grade: start.map_or(0.0, |start| clean_grade(start.grade)),
            passed: start.map_or(&[], |start| start.passed),
            status: Status::Ran,
            repeats: false,
            edit_size: None,
        };
        let mut seen = HashSet::new();
        let mut before = start.map(|start| start.program);
        seen.extend(before.map(normal_form));
        let points = steps
            .iter()
            .map(|step| {
                // A malformed turn changes nothing: an edit of size 0, and a repeat if there was anything before.
                let repeats = match step.program {
                    Some(program) => !seen.insert(normal_form(program)),
                    None => before.is_some(),
                };
                let edit_size = Some(step.program.map_or(0.0, |program| edit_from(before, program)));
                before = step.program.or(before);
                Point { grade: clean_grade(step.grade), passed: step.passed, status: step.status(), repeats, edit_size }
            })
            .collect();
        Track { points, origin, solved: steps.iter().position(StepView::solved) }
    }

    /// The number of turns taken.
    pub(super) fn turns(&self) -> usize {
        self.points.len()
    }

    /// The state at `turn` (from 0); after the last turn, the last state held.
    pub(super) fn at(&self, turn: usize) -> Point<'a> {
        match self.points.get(turn) {
            Some(point) => *point,
            None => Point { repeats: false, edit_size: None, ..*self.points.last().unwrap_or(&self.origin) },
        }
    }
}

//! One learner's path, turn by turn, with the last state held after it stops.

use std::collections::HashSet;

use crate::python::normal_form;
use crate::similarity::edit_size;
use crate::view::{Start, Status, StepView, clean_grade};

/// What a learner's record says at one turn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Point<'a> {
    pub(crate) grade: f64,
    pub(crate) passed: &'a [bool],
    pub(crate) status: Status,
    /// Whether the turn's program is one of the learner's earlier ones. Never true of a turn not taken.
    pub(crate) repeats: bool,
    /// The size of the edit that made the turn's program; `None` for a turn not taken.
    pub(crate) edit_size: Option<f64>,
}

/// A learner's path.
pub(crate) struct Track<'a> {
    points: Vec<Point<'a>>,
    /// The state before the first turn.
    origin: Point<'a>,
    /// The first turn (from 0) with full marks.
    pub(crate) solved: Option<usize>,
}

impl<'a> Track<'a> {
    pub(crate) fn new(start: Option<Start<'a>>, steps: &[StepView<'a>]) -> Self {
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
    pub(crate) fn turns(&self) -> usize {
        self.points.len()
    }

    /// The state at `turn` (from 0); after the last turn, the last state held.
    pub(crate) fn at(&self, turn: usize) -> Point<'a> {
        match self.points.get(turn) {
            Some(point) => *point,
            None => Point { repeats: false, edit_size: None, ..*self.points.last().unwrap_or(&self.origin) },
        }
    }
}

/// The size of the edit from one program to the next; from nothing, it is 1.
fn edit_from(before: Option<&str>, program: &str) -> f64 {
    before.map_or(1.0, |before| edit_size(before, program))
}

//! [`Counter`]: progress of something that is not a stage, shown as a stage's is.

use super::progress::{Progress, ProgressMode, Task};
use std::cell::{Cell, RefCell};
use std::time::Instant;

/// Counts up to a total that may become known only with the first report.
pub struct Counter {
    label: String,
    unit: &'static str,
    begun: Instant,
    total: Cell<Option<u64>>,
    done: Cell<u64>,
    shown: RefCell<Option<Progress>>,
}

impl Counter {
    /// A counter of `unit`s (in the singular) whose clock starts now; nothing is shown before the total is known.
    pub fn new(label: &str, unit: &'static str, total: Option<u64>) -> Counter {
        Counter {
            label: label.into(),
            unit,
            begun: Instant::now(),
            total: Cell::new(total),
            done: Cell::new(0),
            shown: RefCell::new(None),
        }
    }

    /// `done` of `total` are done.
    pub fn set(&self, done: usize, total: usize) {
        self.total.set(Some(total as u64));
        self.done.set(done as u64);
        self.show();
    }

    /// `by` more are done.
    pub fn advance(&self, by: u64) {
        self.done.set(self.done.get() + by);
        self.show();
    }

    /// All is done.
    pub fn finish(&self) {
        if let Some(mut shown) = self.shown.take() {
            shown.finish();
        }
    }

    fn show(&self) {
        let Some(total) = self.total.get() else { return };
        let mut shown = self.shown.borrow_mut();
        let task = Task { name: &self.label, unit: self.unit, total, done: 0, begun: self.begun };
        let progress = shown.get_or_insert_with(|| Progress::new(ProgressMode::Auto, &task));
        progress.step(self.done.get(), &[]);
    }
}

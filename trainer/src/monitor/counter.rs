//! [`Counter`]: progress of something that is not a stage, shown as a stage's is.

use super::progress::{Progress, ProgressMode};
use std::cell::{Cell, RefCell};

/// Counts up to a total that may become known only with the first report.
pub struct Counter {
    label: String,
    total: Cell<Option<u64>>,
    done: Cell<u64>,
    shown: RefCell<Option<Progress>>,
}

impl Counter {
    /// A counter; nothing is shown before the total is known.
    pub fn new(label: &str, total: Option<u64>) -> Counter {
        Counter { label: label.into(), total: Cell::new(total), done: Cell::new(0), shown: RefCell::new(None) }
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
        let progress = shown.get_or_insert_with(|| Progress::new(ProgressMode::Auto, &self.label, total, 0));
        progress.step(self.done.get(), &[]);
    }
}

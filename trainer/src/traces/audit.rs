//! [`Audit`]: what became of every row: how many trajectories and submissions each filter dropped, and why.

use super::table::table;
use serde::Serialize;

/// Something whose submissions can be counted.
pub(super) trait Counted {
    /// Number of submissions.
    fn submissions(&self) -> usize;
}

impl Counted for super::submission::Log {
    fn submissions(&self) -> usize {
        self.rows.len()
    }
}

impl Counted for super::step::Trajectory {
    fn submissions(&self) -> usize {
        self.steps.len()
    }
}

/// What one filter did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// The filter's name in the settings, or what else dropped something.
    pub filter: String,
    /// What it drops.
    pub drops: String,
    /// Trajectories that it dropped whole.
    pub trajectories_dropped: usize,
    /// Submissions that it dropped, those of dropped trajectories included.
    pub submissions_dropped: usize,
    /// Trajectories after it.
    pub trajectories_left: usize,
    /// Submissions after it.
    pub submissions_left: usize,
}

/// How recorded grades compare with the sandbox's, over all submissions that were graded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Submissions with a recorded grade.
    pub recorded: usize,
    /// The sandbox's grade is higher.
    pub sandbox_higher: usize,
    /// The sandbox's grade is lower.
    pub sandbox_lower: usize,
    /// Trajectories with at least one difference.
    pub trajectories: usize,
}

/// The whole account. Its rows are in the order in which the filters ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Filter by filter.
    pub rows: Vec<AuditRow>,
    /// Recorded grades beside the sandbox's.
    pub grades: Agreement,
    /// Rows that share an attempt number with another row of the same student and problem; kept.
    pub shared_attempts: usize,
    /// Trajectories whose attempt numbers and times disagree; the times decided.
    pub disagreeing_order: usize,
}

impl Audit {
    /// The first row: what was read.
    pub(super) fn start<T: Counted>(&mut self, what: &str, items: &[T], repeated_rows: usize) {
        let submissions = items.iter().map(Counted::submissions).sum();
        let row = |filter: &str, drops: &str, dropped, left| AuditRow {
            filter: filter.into(),
            drops: drops.into(),
            trajectories_dropped: 0,
            submissions_dropped: dropped,
            trajectories_left: items.len(),
            submissions_left: left,
        };
        self.rows.push(row("read", what, 0, submissions + repeated_rows));
        if repeated_rows > 0 {
            self.rows.push(row("repeated rows", "rows that were there twice", repeated_rows, submissions));
        }
    }

    /// Runs a filter: `keep` shortens an item or drops it. What is left without submissions is dropped too.
    pub(super) fn filter<T: Counted>(
        &mut self,
        name: &str,
        drops: &str,
        items: Vec<T>,
        mut keep: impl FnMut(T) -> Option<T>,
    ) -> Vec<T> {
        let count = |items: &[T]| (items.len(), items.iter().map(Counted::submissions).sum::<usize>());
        let (trajectories, submissions) = count(&items);
        let items: Vec<T> = items.into_iter().filter_map(&mut keep).filter(|t| t.submissions() > 0).collect();
        let (trajectories_left, submissions_left) = count(&items);
        self.rows.push(AuditRow {
            filter: name.into(),
            drops: drops.into(),
            trajectories_dropped: trajectories - trajectories_left,
            submissions_dropped: submissions - submissions_left,
            trajectories_left,
            submissions_left,
        });
        items
    }

    /// The account as a table with the remarks below it.
    pub fn render(&self) -> String {
        let head = ["filter", "drops", "trajectories −", "left", "submissions −", "left"];
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|r| {
                vec![
                    r.filter.clone(),
                    r.drops.clone(),
                    r.trajectories_dropped.to_string(),
                    r.trajectories_left.to_string(),
                    r.submissions_dropped.to_string(),
                    r.submissions_left.to_string(),
                ]
            })
            .collect();
        let mut out = table(2, &head, &rows);
        let g = &self.grades;
        if g.recorded > 0 {
            let differ = g.sandbox_higher + g.sandbox_lower;
            out.push_str(&format!(
                "{differ} of {} recorded grades differ from the sandbox's (sandbox higher {}, lower {}), in {} trajectories\n",
                g.recorded, g.sandbox_higher, g.sandbox_lower, g.trajectories
            ));
        }
        if self.shared_attempts > 0 {
            out.push_str(&format!("{} submissions share their attempt number with another\n", self.shared_attempts));
        }
        if self.disagreeing_order > 0 {
            let n = self.disagreeing_order;
            out.push_str(&format!(
                "{n} trajectories have attempt numbers out of the order of their times; times decide\n"
            ));
        }
        out
    }
}

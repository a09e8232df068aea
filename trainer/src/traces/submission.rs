//! [`Submission`]: one row of a log, before grading; and how rows become [`Log`]s, one a student and problem, in order.

use super::time::Moment;
use std::collections::BTreeMap;

/// One row of a submission log, whatever its source.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// The student's id.
    pub student: String,
    /// The problem's id in the course.
    pub problem: String,
    /// The attempt's number as recorded; orders rows that have no time.
    pub attempt: u32,
    /// When, as recorded.
    pub time: Option<Moment>,
    /// The program, byte for byte.
    pub code: String,
    /// The grade at the time, in 0..=100, if there was one.
    pub grade: Option<f64>,
    /// Outcomes of the tests at the time, by the sandbox's names (`passed`, `wrong_answer`, …).
    pub tests: Option<Vec<String>>,
    /// What the student was shown at the time. Kept for reference; conversations use the sandbox's feedback.
    pub feedback: Option<String>,
}

/// All submissions of one student to one problem, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    /// The student's id.
    pub student: String,
    /// The problem's id.
    pub problem: String,
    /// The submissions, oldest first.
    pub rows: Vec<Submission>,
}

/// What was found while rows were put in order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ordering {
    /// Rows that were there twice: same student, problem, attempt, time and program. Dropped.
    pub repeated_rows: usize,
    /// Rows that share their attempt number with another row of the log but say something else. Kept.
    pub shared_attempts: usize,
    /// Logs whose attempt numbers and times disagree. The times decide.
    pub disagreeing_logs: usize,
}

/// Groups rows by student and problem and puts each group in order: by time and then attempt where every row of the group
/// has a time, else by attempt; rows that are equal in that stay in the order of the file. Groups come out sorted by student and
/// problem, so that the order of the file does not matter.
pub fn collect(rows: Vec<Submission>) -> (Vec<Log>, Ordering) {
    let mut groups: BTreeMap<(String, String), Vec<Submission>> = BTreeMap::new();
    for row in rows {
        groups.entry((row.student.clone(), row.problem.clone())).or_default().push(row);
    }
    let mut found = Ordering::default();
    let logs = groups.into_iter().map(|((student, problem), rows)| {
        let rows = order(rows, &mut found);
        Log { student, problem, rows }
    });
    (logs.collect(), found)
}

fn order(mut rows: Vec<Submission>, found: &mut Ordering) -> Vec<Submission> {
    rows.sort_by_key(|r| r.attempt);
    if rows.iter().all(|r| r.time.is_some()) {
        // Stable: rows of the same moment stay sorted by attempt.
        rows.sort_by_key(|r| r.time.as_ref().map(Moment::instant));
        found.disagreeing_logs += usize::from(!rows.is_sorted_by_key(|r| r.attempt));
    }
    let mut kept: Vec<Submission> = Vec::with_capacity(rows.len());
    for row in rows {
        let same = |k: &&Submission| k.attempt == row.attempt;
        let twin = kept.iter().filter(same).any(|k| k.time == row.time && k.code == row.code);
        if twin {
            found.repeated_rows += 1;
            continue;
        }
        found.shared_attempts += usize::from(kept.iter().any(|k| k.attempt == row.attempt));
        kept.push(row);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(student: &str, attempt: u32, time: Option<&str>, code: &str) -> Submission {
        Submission {
            student: student.into(),
            problem: "p".into(),
            attempt,
            time: time.map(|t| Moment::parse(t).unwrap()),
            code: code.into(),
            grade: None,
            tests: None,
            feedback: None,
        }
    }

    fn codes(logs: &[Log]) -> Vec<Vec<&str>> {
        logs.iter().map(|l| l.rows.iter().map(|r| r.code.as_str()).collect()).collect()
    }

    #[test]
    fn times_decide_where_all_rows_have_one() {
        let rows = vec![
            row("s", 1, Some("2024-01-02T00:00:00Z"), "b"),
            row("s", 2, Some("2024-01-01T23:30:00-01:00"), "c"),
            row("s", 3, Some("2024-01-01T00:00:00Z"), "a"),
        ];
        let (logs, found) = collect(rows);
        assert_eq!(codes(&logs), [["a", "b", "c"]]);
        assert_eq!(found, Ordering { disagreeing_logs: 1, ..Ordering::default() });
    }

    #[test]
    fn one_row_without_a_time_leaves_the_attempts_to_decide() {
        let rows = vec![row("s", 2, Some("2024-01-01T00:00:00Z"), "b"), row("s", 1, None, "a")];
        assert_eq!(codes(&collect(rows).0), [["a", "b"]]);
    }

    #[test]
    fn a_repeated_row_goes_and_a_shared_number_stays() {
        let rows = vec![row("s", 1, None, "a"), row("s", 1, None, "a"), row("s", 1, None, "b"), row("s", 2, None, "a")];
        let (logs, found) = collect(rows);
        assert_eq!(codes(&logs), [["a", "b", "a"]]);
        assert_eq!(found, Ordering { repeated_rows: 1, shared_attempts: 1, disagreeing_logs: 0 });
    }

    proptest! {
        #[test]
        fn the_order_of_the_file_does_not_matter(
            mut rows in proptest::collection::vec((0..3u8, 0..50u32), 0..30),
            turns in 0..30usize,
        ) {
            rows.sort();
            rows.dedup();
            let make = |rows: &[(u8, u32)]| {
                let rows = rows.iter().map(|(s, a)| row(&s.to_string(), *a, None, &a.to_string())).collect();
                collect(rows).0
            };
            let sorted = make(&rows);
            if !rows.is_empty() {
                let middle = turns % rows.len();
                rows.rotate_left(middle);
            }
            prop_assert_eq!(make(&rows), sorted);
        }
    }
}

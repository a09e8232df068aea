//! What is kept of the logs, in a fixed order. Each filter writes a row of the [`Audit`].
//!
//! Before grading (they need no grade, and what they drop need not be graded):
//! 1. `max_code_bytes`: a longer submission ends its trajectory; it and what follows are dropped.
//! 2. `deduplicate`: a submission that is, up to taste, the one kept before it ([`novice_rewards`]' normal form).
//!
//! After grading:
//!
//! 3. `mismatch`: where the recorded grade is not the sandbox's.
//! 4. `stop_when_solved`: what follows the first submission with full marks (the sandbox's).
//! 5. `max_submissions`: what follows that many.
//! 6. `min_final_grade`: trajectories whose last grade, after all of the above, is lower.
//! 7. `min_submissions`: trajectories that are shorter by then.
//! 8. `min_students`: problems that fewer students have a trajectory of by then.
//!
//! A filter that is switched off has no row.

use std::collections::{HashMap, HashSet};

use super::audit::Audit;
use super::step::{Step, Trajectory};
use super::submission::Log;
use crate::config::{FilterSettings, Mismatch};
use novice_rewards::python::normal_form;

/// Filters 1 and 2.
pub fn before_grading(mut logs: Vec<Log>, settings: &FilterSettings, audit: &mut Audit) -> Vec<Log> {
    if settings.max_code_bytes > 0 {
        let limit = settings.max_code_bytes;
        let drops = format!("submissions over {limit} bytes and what follows them");
        logs = audit.filter("max_code_bytes", &drops, logs, |mut log| {
            let end = log.rows.iter().position(|r| r.code.len() > limit).unwrap_or(log.rows.len());
            log.rows.truncate(end);
            Some(log)
        });
    }
    if settings.deduplicate {
        logs = audit.filter("deduplicate", "submissions equal to the one before, up to taste", logs, |mut log| {
            let mut last = None;
            log.rows.retain(|row| {
                let form = Some(normal_form(&row.code));
                let new = form != last;
                last = form;
                new
            });
            Some(log)
        });
    }
    logs
}

/// Filters 3 to 8. Counts the agreement of grades first, over all that were graded.
pub fn after_grading(
    mut trajectories: Vec<Trajectory>,
    settings: &FilterSettings,
    audit: &mut Audit,
) -> Vec<Trajectory> {
    compare_grades(&trajectories, audit);
    let truncate = |mut t: Trajectory, end: Option<usize>| {
        let end = end.unwrap_or(t.steps.len());
        t.cut |= end < t.steps.len();
        t.steps.truncate(end);
        Some(t)
    };
    match settings.mismatch {
        Mismatch::Keep => {}
        Mismatch::Truncate => {
            let drops = "what follows from the first grade that differs from the recorded one";
            trajectories = audit.filter("mismatch", drops, trajectories, |t| {
                let end = t.steps.iter().position(Step::disagrees);
                truncate(t, end)
            });
        }
        Mismatch::Drop => {
            let drops = "trajectories with a grade that differs from the recorded one";
            trajectories =
                audit.filter("mismatch", drops, trajectories, |t| (!t.steps.iter().any(Step::disagrees)).then_some(t));
        }
    }
    if settings.stop_when_solved {
        let drops = "what follows the first submission with full marks";
        trajectories = audit.filter("stop_when_solved", drops, trajectories, |t| {
            let end = t.steps.iter().position(Step::solved).map(|i| i + 1);
            truncate(t, end)
        });
    }
    if settings.max_submissions > 0 {
        let drops = format!("submissions after number {}", settings.max_submissions);
        trajectories =
            audit.filter("max_submissions", &drops, trajectories, |t| truncate(t, Some(settings.max_submissions)));
    }
    if settings.min_final_grade > 0.0 {
        let drops = format!("trajectories that end below {}", settings.min_final_grade);
        trajectories = audit.filter("min_final_grade", &drops, trajectories, |t| {
            t.steps.last().is_some_and(|s| s.grade() >= settings.min_final_grade).then_some(t)
        });
    }
    if settings.min_submissions > 1 {
        let drops = format!("trajectories of fewer than {} submissions", settings.min_submissions);
        trajectories = audit.filter("min_submissions", &drops, trajectories, |t| {
            (t.steps.len() >= settings.min_submissions).then_some(t)
        });
    }
    if settings.min_students > 0 {
        let mut students: HashMap<String, HashSet<String>> = HashMap::new();
        for t in &trajectories {
            students.entry(t.problem.clone()).or_default().insert(t.student.clone());
        }
        let drops = format!("trajectories of problems with fewer than {} students", settings.min_students);
        trajectories = audit.filter("min_students", &drops, trajectories, |t| {
            (students[&t.problem].len() >= settings.min_students).then_some(t)
        });
    }
    trajectories
}

fn compare_grades(trajectories: &[Trajectory], audit: &mut Audit) {
    for trajectory in trajectories {
        let mut differs = false;
        for step in &trajectory.steps {
            let Some(recorded) = step.recorded_grade else { continue };
            audit.grades.recorded += 1;
            if step.disagrees() {
                differs = true;
                if step.grade() > recorded {
                    audit.grades.sandbox_higher += 1;
                } else {
                    audit.grades.sandbox_lower += 1;
                }
            }
        }
        audit.grades.trajectories += usize::from(differs);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::submission::{Submission, collect};
    use crate::traces::testing::{graded, trajectory};

    fn off() -> FilterSettings {
        FilterSettings {
            min_submissions: 0,
            max_submissions: 0,
            deduplicate: false,
            stop_when_solved: false,
            mismatch: Mismatch::Keep,
            min_final_grade: 0.0,
            min_students: 0,
            max_code_bytes: 0,
        }
    }

    fn logs(codes: &[&str]) -> Vec<Log> {
        let row = |(i, code): (usize, &&str)| Submission {
            student: "s".into(),
            problem: "p".into(),
            attempt: i as u32,
            time: None,
            code: code.to_string(),
            grade: None,
            tests: None,
            feedback: None,
        };
        collect(codes.iter().enumerate().map(row).collect()).0
    }

    fn codes(logs: &[Log]) -> Vec<&str> {
        logs.iter().flat_map(|l| &l.rows).map(|r| r.code.as_str()).collect()
    }

    fn after(steps: &[(&str, f64)], recorded: &[f64], settings: FilterSettings) -> (Vec<Vec<f64>>, Audit) {
        let mut t = trajectory("s", "p", steps);
        for (step, grade) in t.steps.iter_mut().zip(recorded) {
            step.recorded_grade = Some(*grade);
        }
        let mut audit = Audit::default();
        let left = after_grading(vec![t], &settings, &mut audit);
        (left.iter().map(Trajectory::grades).collect(), audit)
    }

    #[test]
    fn only_consecutive_equals_go_and_taste_does_not_count() {
        let mut audit = Audit::default();
        let settings = FilterSettings { deduplicate: true, ..off() };
        let all = ["x = 1", "x  =  1  # again", "x = 2", "x = 1", "x = (", "x = (", "x = ("];
        let left = before_grading(logs(&all), &settings, &mut audit);
        assert_eq!(codes(&left), ["x = 1", "x = 2", "x = 1", "x = ("]);
        assert_eq!((audit.rows[0].submissions_dropped, audit.rows[0].submissions_left), (3, 4));
    }

    #[test]
    fn a_long_submission_ends_its_trajectory() {
        let settings = FilterSettings { max_code_bytes: 5, ..off() };
        let mut audit = Audit::default();
        assert_eq!(codes(&before_grading(logs(&["a", "bbbbb", "cccccc", "d"]), &settings, &mut audit)), ["a", "bbbbb"]);
        assert!(before_grading(logs(&["cccccc", "d"]), &settings, &mut audit).is_empty());
        assert_eq!((audit.rows[1].trajectories_dropped, audit.rows[1].submissions_dropped), (1, 2));
    }

    #[test]
    fn what_becomes_of_grades_that_differ() {
        let steps = [("a", 0.0), ("b", 33.333333333333336), ("c", 100.0)];
        let run = |recorded: &[f64], mismatch| after(&steps, recorded, FilterSettings { mismatch, ..off() });
        // 33.3 is a rounded third.
        assert_eq!(run(&[0.0, 33.3, 100.0], Mismatch::Drop).0.len(), 1);
        let (left, audit) = run(&[0.0, 66.7, 50.0], Mismatch::Truncate);
        assert_eq!(left, [[0.0]]);
        assert_eq!((audit.grades.recorded, audit.grades.sandbox_higher, audit.grades.sandbox_lower), (3, 1, 1));
        assert!(run(&[0.0, 66.7, 50.0], Mismatch::Drop).0.is_empty());
        assert_eq!(run(&[0.0, 66.7, 50.0], Mismatch::Keep).0[0].len(), 3);
        assert!(run(&[1.0, 33.3, 100.0], Mismatch::Truncate).0.is_empty());
    }

    #[test]
    fn the_first_full_marks_end_it() {
        let settings = FilterSettings { stop_when_solved: true, ..off() };
        let steps = [("a", 50.0), ("b", 100.0 - 1e-9), ("c", 0.0)];
        assert_eq!(after(&steps, &[], settings).0, [[50.0, 100.0 - 1e-9]]);
    }

    #[test]
    fn the_last_grade_counts_after_the_cuts() {
        let settings = FilterSettings { max_submissions: 2, min_final_grade: 50.0, ..off() };
        assert!(after(&[("a", 0.0), ("b", 20.0), ("c", 100.0)], &[], settings.clone()).0.is_empty());
        assert_eq!(after(&[("a", 0.0), ("b", 50.0), ("c", 0.0)], &[], settings).0, [[0.0, 50.0]]);
    }

    #[test]
    fn problems_of_few_students_go() {
        let steps = [("a", 0.0), ("b", 50.0)];
        // One student twice is one student; a trajectory that is too short is none.
        let of = |student, problem, n: usize| trajectory(student, problem, &steps[..n]);
        let all =
            vec![of("s", "p", 2), of("t", "p", 2), of("s", "q", 2), of("s", "q", 2), of("s", "r", 2), of("t", "r", 1)];
        let settings = FilterSettings { min_students: 2, min_submissions: 2, ..off() };
        let left = after_grading(all, &settings, &mut Audit::default());
        assert_eq!(left.iter().map(|t| (&*t.student, &*t.problem)).collect::<Vec<_>>(), [("s", "p"), ("t", "p")]);
    }

    #[test]
    fn every_row_of_the_audit_adds_up() {
        let all = vec![graded(&[0.0, 100.0, 0.0]), graded(&[100.0]), graded(&[0.0, 20.0, 0.0, 0.0])];
        let settings = FilterSettings { max_submissions: 3, min_final_grade: 10.0, ..FilterSettings::default() };
        let mut audit = Audit::default();
        audit.start("", &all, 2);
        let left = after_grading(all, &settings, &mut audit);
        assert_eq!(left.len(), 1);
        for pair in audit.rows.windows(2) {
            let (before, row) = (&pair[0], &pair[1]);
            assert_eq!(before.trajectories_left, row.trajectories_left + row.trajectories_dropped, "{}", row.filter);
            assert_eq!(before.submissions_left, row.submissions_left + row.submissions_dropped, "{}", row.filter);
        }
        insta::assert_snapshot!(audit.render(), @r"
        filter            drops                                              trajectories −  left  submissions −  left
        ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        read                                                                              0     3              0    10
        repeated rows     rows that were there twice                                      0     3              2     8
        stop_when_solved  what follows the first submission with full marks               0     3              1     7
        max_submissions   submissions after number 3                                      0     3              1     6
        min_final_grade   trajectories that end below 10                                  1     2              3     3
        min_submissions   trajectories of fewer than 2 submissions                        1     1              1     2
        0 of 8 recorded grades differ from the sandbox's (sandbox higher 0, lower 0), in 0 trajectories
        ");
    }
}

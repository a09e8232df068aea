//! What the charts show: grades by step and by relative position, survival, the endings of rollouts, and training's metrics.
//!
//! Evaluation charts count rollouts as the corrected protocol does: a learner who has stopped keeps the grade that it has (progression
//! alone leaves out rollouts without a submission, which have no positions). A band is
//! ±1.96 standard errors of the mean over students (each student one mean), which is a normal approximation; the tables' intervals are
//! bootstrapped. Relative position runs from 0 (first submission after the start) to 1 (the last): within a rollout of n submissions the i-th, from
//! 0, is at i/(n−1), as in the published figure of grade progression; grades between two submissions are interpolated.

use super::plot::{Chart, Dot, Line};
use super::read::RunFiles;
use crate::evaluate::{Script, baselines};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Full marks.
const SOLVED: f64 = 100.0 - 1e-9;

/// Whether a policy is no model and not the copying baseline; tables show those, charts would be unreadable with them.
pub(super) fn is_left_out(policy: &str) -> bool {
    !is_copy(policy) && baselines().iter().any(|name| name == policy)
}

/// Whether a policy is the copying baseline.
pub(super) fn is_copy(policy: &str) -> bool {
    policy == Script::Copy.label()
}

/// A policy's name beside those of other runs.
pub(super) fn labelled(runs: &[RunFiles], run: &RunFiles, policy: &str) -> String {
    if runs.len() > 1 { named(run, policy) } else { policy.into() }
}

/// A policy's name with that of its run.
pub(super) fn named(run: &RunFiles, policy: &str) -> String {
    format!("{} · {policy}", run.name)
}

/// Whose grades, and what they were.
struct Course {
    student: String,
    /// The grade of the last submission before the start, where the students' file says it.
    before: Option<f64>,
    grades: Vec<f64>,
}

/// Rollouts of one policy, or the students' own submissions.
struct Group {
    name: String,
    courses: Vec<Course>,
}

fn grade(turn: &Value) -> Option<f64> {
    turn.get("grade").and_then(Value::as_f64)
}

/// A text field, or nothing.
fn word<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// The students first, then each policy of each run. `horizon` is the most submissions that any rollout has.
fn groups(runs: &[RunFiles]) -> (Vec<Group>, usize) {
    let lines = || runs.iter().flat_map(|run| &run.evaluated);
    let length = |line: &Value| line.get("turns").and_then(Value::as_array).map_or(0, Vec::len);
    let horizon = lines().map(length).max().unwrap_or(0);
    let known: BTreeMap<(&str, &str), &Vec<Value>> = runs
        .iter()
        .flat_map(|run| &run.students)
        .filter_map(|s| Some(((word(s, "student"), word(s, "problem")), s.get("steps")?.as_array()?)))
        .collect();
    let before = |line: &Value| {
        let last = line.get("start")?.as_u64()?.checked_sub(1)?;
        grade(known.get(&(word(line, "student"), word(line, "problem")))?.get(last as usize)?)
    };
    let mut starts = BTreeSet::new();
    let mut real = Vec::new();
    for line in lines() {
        if starts.insert((word(line, "student"), word(line, "problem"), line.get("start").and_then(Value::as_u64))) {
            let grades = line.get("real_grades").and_then(Value::as_array).into_iter().flatten();
            let grades = grades.filter_map(Value::as_f64).take(horizon).collect();
            real.push(Course { student: word(line, "student").into(), before: before(line), grades });
        }
    }
    let mut groups = vec![Group { name: "real students".into(), courses: real }];
    for run in runs {
        let mut policies: Vec<Group> = Vec::new();
        for line in run.evaluated.iter().filter(|line| !is_left_out(word(line, "policy"))) {
            let policy = word(line, "policy");
            let name = labelled(runs, run, policy);
            let turns = line.get("turns").and_then(Value::as_array).into_iter().flatten();
            let grades = turns.filter_map(grade).collect();
            let course = Course { student: word(line, "student").into(), before: before(line), grades };
            match policies.iter_mut().find(|group| group.name == name) {
                Some(group) => group.courses.push(course),
                None => policies.push(Group { name, courses: vec![course] }),
            }
        }
        groups.extend(policies);
    }
    (groups, horizon)
}

/// Mean over all courses of `value`, and 1.96 standard errors of it over students.
fn mean(group: &Group, x: f64, value: &dyn Fn(&Course) -> Option<f64>) -> Option<Dot> {
    let mut students: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    for course in &group.courses {
        if let Some(value) = value(course) {
            let sums = students.entry(&course.student).or_default();
            *sums = (sums.0 + value, sums.1 + 1.0);
        }
    }
    let (sum, count) = students.values().fold((0.0, 0.0), |all, one| (all.0 + one.0, all.1 + one.1));
    if count == 0.0 {
        return None;
    }
    let (y, n) = (sum / count, students.len() as f64);
    // Standard error of a ratio of sums over clusters.
    let squares: f64 = students.values().map(|(s, c)| (s - y * c).powi(2)).sum();
    let half = (n > 1.0).then(|| 1.96 * (squares * n / (n - 1.0)).sqrt() / count);
    Some(Dot { x, y, half })
}

fn chart(title: &str, x: &str, y: &str, bounds: (f64, f64), lines: Vec<Line>) -> Chart {
    Chart { title: title.into(), x: x.into(), y: y.into(), lines, bounds: Some(bounds) }
}

/// The grade at relative position `at` of 0..=1, interpolated.
fn at_relative(grades: &[f64], at: f64) -> Option<f64> {
    let place = at * (grades.len().checked_sub(1)?) as f64;
    let (below, share) = (place.floor(), place.fract());
    let low = grades.get(below as usize)?;
    let high = grades.get(below as usize + 1).unwrap_or(low);
    Some(low + share * (high - low))
}

/// Charts of an evaluation, the students beside every model.
pub(super) fn evaluation(runs: &[RunFiles]) -> Vec<Chart> {
    let (groups, horizon) = groups(runs);
    let lines = |xs: &[f64], value: &dyn Fn(&Course, f64) -> Option<f64>| -> Vec<Line> {
        let line = |group: &Group| {
            let dots = xs.iter().filter_map(|&x| mean(group, x, &|course| value(course, x))).collect();
            Line { name: group.name.clone(), dots }
        };
        groups.iter().map(line).collect()
    };
    let steps: Vec<f64> = (1..=horizon).map(|s| s as f64).collect();
    let with_start: Vec<f64> = (0..=horizon).map(|s| s as f64).collect();
    let tenths: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
    let until = |course: &Course, s: f64| match (s as usize).min(course.grades.len()).checked_sub(1) {
        Some(last) => course.grades.get(last).copied(),
        None => course.before,
    };
    let solved_by = |course: &Course, s: f64| course.grades.iter().take(s as usize).any(|g| *g >= SOLVED);
    let step = "submissions after the start";
    vec![
        chart("Grade by step", step, "mean grade (0–100)", (0.0, 100.0), lines(&steps, &until)),
        chart(
            "Grade progression",
            "relative position in the trajectory",
            "mean grade (0–100)",
            (0.0, 100.0),
            lines(&tenths, &|course, at| at_relative(&course.grades, at)),
        ),
        chart(
            "Not yet solved",
            step,
            "share of rollouts",
            (0.0, 1.0),
            lines(&with_start, &|course, s| Some(f64::from(u8::from(!solved_by(course, s))))),
        ),
        chart(
            "Still submitting, or solved",
            step,
            "share of rollouts",
            (0.0, 1.0),
            lines(&with_start, &|course, s| {
                Some(f64::from(u8::from(course.grades.len() as f64 >= s || solved_by(course, s))))
            }),
        ),
    ]
}

/// One chart a metric of training, a line a run; stages in their order.
pub(super) fn training(runs: &[RunFiles]) -> Vec<(String, Vec<Chart>)> {
    const SHOWN: [(&str, &str); 9] = [
        ("loss", "loss"),
        ("held_out/loss", "held-out loss"),
        ("grad_norm", "gradient norm"),
        ("accuracy", "preference accuracy"),
        ("margin", "reward margin"),
        ("reward", "reward"),
        ("entropy", "entropy (nats)"),
        ("final_grade", "final grade (0–100)"),
        ("solved", "solved (share)"),
    ];
    let mut stages: Vec<String> = Vec::new();
    for line in runs.iter().flat_map(|run| &run.metrics) {
        let stage = word(line, "stage");
        if !stages.iter().any(|s| s == stage) {
            stages.push(stage.into());
        }
    }
    let lines = |stage: &str, key: &str| -> Vec<Line> {
        let line = |run: &RunFiles| {
            let of_stage = run.metrics.iter().filter(|line| word(line, "stage") == stage);
            let dot = |line: &Value| {
                let (x, y) = (line.get("step")?.as_f64()?, line.get(key)?.as_f64()?);
                Some(Dot { x, y, half: None })
            };
            Line { name: run.name.clone(), dots: of_stage.filter_map(dot).collect() }
        };
        runs.iter().map(line).filter(|line| !line.dots.is_empty()).collect()
    };
    let charts = |stage: &String| {
        let chart = |(key, label): &(&str, &str)| Chart {
            title: format!("{}: {label}", stage.to_uppercase()),
            x: "step".into(),
            y: (*label).into(),
            lines: lines(stage, key),
            bounds: None,
        };
        (stage.clone(), SHOWN.iter().map(chart).filter(|c| !c.lines.is_empty()).collect())
    };
    stages.iter().map(charts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run() -> RunFiles {
        let line = |student: &str, grades: &[f64], real: &[f64]| {
            let turns: Vec<Value> = grades.iter().map(|g| json!({ "grade": g })).collect();
            json!({"policy": "SFT", "student": student, "problem": "p", "start": 1, "turns": turns, "real_grades": real})
        };
        let evaluated = vec![line("a", &[0.0, 100.0], &[50.0, 50.0]), line("b", &[40.0], &[100.0])];
        let metrics =
            vec![json!({"stage": "sft", "step": 1, "loss": 2.0}), json!({"stage": "sft", "step": 2, "loss": 1.0})];
        RunFiles { name: "r".into(), evaluated, metrics, ..RunFiles::default() }
    }

    #[test]
    fn curves_are_those_worked_out_by_hand() {
        let charts = evaluation(&[run()]);
        let ys = |chart: usize, line: usize| charts[chart].lines[line].dots.iter().map(|d| d.y).collect::<Vec<_>>();
        assert_eq!(charts[0].lines[1].name, "SFT");
        // Students: 50, 50 and 100, 100 (solved); SFT: 0, 100 and 40, 40 (stopped, keeps its grade).
        assert_eq!((ys(0, 0), ys(0, 1)), (vec![75.0, 75.0], vec![20.0, 70.0]));
        // Means of 0 and 40, of 100 and 40, at the ends; half-way 50 and 40.
        assert_eq!((ys(1, 1)[0], ys(1, 1)[5]), (20.0, 45.0));
        assert_eq!((ys(2, 1), ys(3, 1)), (vec![1.0, 1.0, 0.5], vec![1.0, 1.0, 0.5]));
        // One that hands in nothing keeps the grade from before the start.
        let mut with_silent = run();
        with_silent.evaluated[1]["turns"] = json!([]);
        with_silent.students = vec![json!({"student": "b", "problem": "p", "steps": [{"grade": 30.0}]})];
        let silent = evaluation(&[with_silent]);
        assert_eq!(silent[0].lines[1].dots.iter().map(|d| d.y).collect::<Vec<_>>(), [15.0, 65.0]);
        // Two students at 0 and 40: the standard error is 20.
        assert!((charts[0].lines[1].dots[0].half.unwrap() - 1.96 * 20.0).abs() < 1e-9);
    }

    #[test]
    fn training_has_a_chart_for_what_was_measured() {
        let stages = training(&[run()]);
        assert_eq!((stages.len(), stages[0].1.len()), (1, 1));
        assert_eq!(stages[0].1[0].lines[0].dots.len(), 2);
    }
}

//! Charts of what evaluation counted: the published protocol by step, and the kinds of edits beside real students'.
//!
//! The numbers are those of `shapes` in `evaluation/table.json`; a table without them has no such charts. As in the other charts, real students have
//! the first colour: by step that is the nearest other student, where baselines were evaluated.

use super::bars::Bars;
use super::curves::{is_copy, is_left_out, labelled};
use super::plot::{Chart, Dot, Line};
use super::read::RunFiles;
use crate::evaluate::REAL_STUDENT;
use serde_json::Value;

fn shapes(run: &RunFiles) -> impl Iterator<Item = &Value> {
    run.table.iter().filter_map(|table| table.get("shapes")?.as_array()).flatten()
}

fn policy(shape: &Value) -> &str {
    shape.get("policy").and_then(Value::as_str).unwrap_or_default()
}

/// The policies that charts show, each with its name there.
fn shown(runs: &[RunFiles]) -> Vec<(String, &Value)> {
    let mut all = Vec::new();
    for run in runs {
        for shape in shapes(run).filter(|shape| !is_left_out(policy(shape))) {
            all.push((labelled(runs, run, policy(shape)), shape));
        }
    }
    all
}

/// Coverage and CodeBLEU by step.
pub(super) fn by_step(runs: &[RunFiles]) -> Vec<Chart> {
    let floor = runs.iter().flat_map(shapes).find(|shape| policy(shape) == REAL_STUDENT);
    let chart = |title: &str, y: &str, field: &str| {
        let dots = |shape: &Value| -> Vec<Dot> {
            let steps = shape.get("steps").and_then(Value::as_array).into_iter().flatten();
            let dot = |step: &Value| {
                let share = step.get(field)?;
                let half = share.get("half").and_then(Value::as_f64);
                Some(Dot { x: step.get("step")?.as_f64()?, y: share.get("value")?.as_f64()?, half })
            };
            steps.filter_map(dot).collect()
        };
        let real = Line { name: "nearest other student".into(), dots: floor.map(dots).unwrap_or_default() };
        let policies = shown(runs).into_iter().map(|(name, shape)| Line { name, dots: dots(shape) });
        Chart {
            title: title.into(),
            x: "submissions after the start".into(),
            y: y.into(),
            lines: std::iter::once(real).chain(policies).collect(),
            bounds: Some((0.0, 1.0)),
        }
    };
    vec![
        chart("Coverage by step, as published", "share of the student's steps", "coverage"),
        chart("CodeBLEU by step, as published", "mean where both submit", "codebleu"),
    ]
}

/// Shares of kinds of edits, the students first; not of a copier, which makes none.
pub(super) fn edits(runs: &[RunFiles]) -> Bars {
    let shown = shown(runs).into_iter().zip(1..).filter(|((_, shape), _)| !is_copy(policy(shape)));
    let shown: Vec<((String, &Value), usize)> = shown.collect();
    let edits = |shape: &'_ Value| shape.get("edits").and_then(Value::as_array).cloned().unwrap_or_default();
    let number = |edit: &Value, whose: &str| edit.get(whose).and_then(Value::as_f64).unwrap_or(0.0);
    let mut groups: Vec<(String, Vec<f64>)> = Vec::new();
    let series = 1 + shown.len();
    for (at, ((_, shape), _)) in shown.iter().enumerate() {
        for edit in edits(shape) {
            let kind = edit.get("kind").and_then(Value::as_str).unwrap_or_default().replace('_', " ");
            let place = groups.iter().position(|(name, _)| *name == kind).unwrap_or_else(|| {
                groups.push((kind, vec![0.0; series]));
                groups.len() - 1
            });
            if let Some((_, values)) = groups.get_mut(place) {
                let (student, model) = (number(&edit, "student"), number(&edit, "model"));
                // The students that policies stand beside are the same; a policy that left out starts stands beside fewer.
                values.iter_mut().take(1).for_each(|first| *first = first.max(student));
                values.iter_mut().skip(1 + at).take(1).for_each(|value| *value = model);
            }
        }
    }
    groups.sort_by(|(_, a), (_, b)| b.first().partial_cmp(&a.first()).unwrap_or(std::cmp::Ordering::Equal));
    let policies = shown.into_iter().map(|((name, _), colour)| (colour, name));
    let series = std::iter::once((0, "real students".to_string())).chain(policies).collect();
    Bars { title: "Kinds of edits".into(), x: "share of edits".into(), series, groups }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run() -> RunFiles {
        let shape = |policy: &str, value: f64| {
            let share = json!({"value": value, "half": 0.1});
            let edits = json!([{"kind": "literal", "model": value, "student": 0.25}, {"kind": "small_add", "model": 1.0 - value, "student": 0.75}]);
            json!({"policy": policy, "steps": [{"step": 1, "coverage": share, "codebleu": null}], "edits": edits})
        };
        let table = json!({"lines": [], "shapes": [shape("ORACLE", 1.0), shape(REAL_STUDENT, 0.5), shape("COPY", 0.0), shape("SFT", 0.875)]});
        RunFiles { name: "r".into(), table: Some(table), ..RunFiles::default() }
    }

    #[test]
    fn policies_stand_beside_real_students() {
        let charts = by_step(&[run()]);
        let lines: Vec<(&str, Option<f64>)> =
            charts[0].lines.iter().map(|line| (line.name.as_str(), line.dots.first().map(|dot| dot.y))).collect();
        assert_eq!(lines, [("nearest other student", Some(0.5)), ("COPY", Some(0.0)), ("SFT", Some(0.875))]);
        assert!(charts[1].lines.iter().all(|line| line.dots.is_empty()), "no CodeBLEU where nothing was covered");
        let edits = edits(&[run()]);
        assert_eq!(edits.series, [(0, "real students".into()), (2, "SFT".into())]);
        assert_eq!(edits.groups, [("small add".into(), vec![0.75, 0.125]), ("literal".into(), vec![0.25, 0.875])]);
        assert!(super::edits(&[RunFiles::default()]).groups.is_empty());
    }
}

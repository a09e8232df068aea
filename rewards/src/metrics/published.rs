//! Coverage, grade proximity and degradation as published. Source: published `scripts/results.py`, restated.
//!
//! For each row (student, problem, start) at step `s`: `g` = the student's code is not empty; `m` = the model's code is
//! not empty, does not start with `exit()` and is neither `exit` nor `...`; `v` = `g` and `m`.
//!
//! * `Cov_s = Σ v / Σ g`; overall: pooled over all steps.
//! * `GP_s` = mean over `v` of `1 - |model - student| / 100`, grades rounded to integers; overall: the unweighted mean
//!   of the per-step means. Per-step means are rounded to 3 decimals first.
//! * Degradation of a metric: mean over `s = 2..=S` of `m_s - m_1` on the rounded values.
//!
//! Known defects, kept: both overall values are conditioned on the model still running, so a model that solves early
//! drops out of the means, and coverage rewards never solving. See [`super::joint`].

/// One recorded step of one rollout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Step of the rollout, from 1.
    pub step: usize,
    /// The student's program at that step; empty if there is none.
    pub student_code: &'a str,
    /// The model's program; `None` or empty once it stopped.
    pub model_code: Option<&'a str>,
    /// The student's grade, 0..=100.
    pub student_grade: f64,
    /// The model's grade; `None` once it stopped.
    pub model_grade: Option<f64>,
}

impl Row<'_> {
    /// `g`: the student's side exists.
    pub fn has_student(&self) -> bool {
        !self.student_code.trim().is_empty()
    }

    /// `v`: both sides exist.
    pub fn is_covered(&self) -> bool {
        let code = self.model_code.unwrap_or_default().trim();
        let gave_up = code.is_empty() || code.starts_with("exit()") || code == "exit" || code == "...";
        self.has_student() && !gave_up
    }

    /// `1 - |model - student| / 100` on integer grades; `None` unless both sides exist.
    pub fn grade_proximity(&self) -> Option<f64> {
        let model = self.model_grade.filter(|_| self.is_covered())?;
        Some(1.0 - (model.round_ties_even() - self.student_grade.round_ties_even()).abs() / 100.0)
    }
}

/// A metric by step, with the published overall and degradation.
#[derive(Debug, Clone, PartialEq)]
pub struct ByStep {
    /// Mean at step 1, 2, …, rounded to 3 decimals; `None` where nothing counted.
    pub by_step: Vec<Option<f64>>,
    /// The overall value; `None` if nothing counted.
    pub overall: Option<f64>,
    /// Mean of `m_s - m_1` over the later steps; `None` without step 1 or without later steps.
    pub degradation: Option<f64>,
}

impl ByStep {
    /// Means of `values` by step for steps `1..=steps`; the overall value is the unweighted mean of the rounded means.
    /// Usable for any per-row value, such as CodeBLEU.
    pub fn of_means(values: impl IntoIterator<Item = (usize, f64)>, steps: usize) -> Self {
        let mut sums = vec![(0.0, 0_usize); steps];
        for (step, value) in values {
            if let Some((sum, count)) = step.checked_sub(1).and_then(|index| sums.get_mut(index)) {
                *sum += value;
                *count += 1;
            }
        }
        let by_step: Vec<Option<f64>> =
            sums.iter().map(|(sum, count)| (*count > 0).then(|| round3(sum / *count as f64))).collect();
        let overall = mean(by_step.iter().flatten().copied());
        ByStep { degradation: degradation(&by_step), by_step, overall }
    }
}

/// Published coverage for steps `1..=steps`; the overall value is pooled.
pub fn coverage(rows: &[Row], steps: usize) -> ByStep {
    let counted = rows.iter().filter(|row| row.has_student() && (1..=steps).contains(&row.step));
    let values: Vec<(usize, f64)> = counted.map(|row| (row.step, if row.is_covered() { 1.0 } else { 0.0 })).collect();
    let pooled = mean(values.iter().map(|(_, value)| *value));
    ByStep { overall: pooled, ..ByStep::of_means(values, steps) }
}

/// Published grade proximity for steps `1..=steps`.
pub fn grade_proximity(rows: &[Row], steps: usize) -> ByStep {
    ByStep::of_means(rows.iter().filter_map(|row| Some((row.step, row.grade_proximity()?))), steps)
}

fn round3(value: f64) -> f64 {
    (value * 1000.0).round_ties_even() / 1000.0
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}

fn degradation(by_step: &[Option<f64>]) -> Option<f64> {
    let first = by_step.first().copied().flatten()?;
    mean(by_step.iter().skip(1).flatten().map(|value| value - first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(step: usize, model: Option<(&'static str, f64)>, student_grade: f64) -> Row<'static> {
        Row {
            step,
            student_code: "x = 1",
            model_code: model.map(|(code, _)| code),
            student_grade,
            model_grade: model.map(|(_, grade)| grade),
        }
    }

    #[test]
    fn by_hand() {
        let rows = [
            row(1, Some(("a", 100.0)), 0.0),
            row(1, Some(("a", 50.4)), 50.0),
            row(2, None, 20.0),
            row(2, Some(("a", 60.0)), 40.0),
            row(3, Some(("exit()", 0.0)), 0.0),
            row(3, Some(("...", 0.0)), 0.0),
        ];
        let cov = coverage(&rows, 3);
        assert_eq!(cov.by_step, vec![Some(1.0), Some(0.5), Some(0.0)]);
        assert_eq!(cov.overall, Some(0.5));
        assert_eq!(cov.degradation, Some(-0.75));
        let gp = grade_proximity(&rows, 3);
        assert_eq!(gp.by_step, vec![Some(0.5), Some(0.8), None]);
        assert_eq!(gp.overall, Some(0.65));
        assert!((gp.degradation.unwrap() - 0.3).abs() < 1e-12);
    }

    /// The published table's overall values are the means of its per-step figures.
    #[test]
    fn published_table_is_reproduced() {
        let steps = [0.860, 0.816, 0.786, 0.766, 0.755];
        let table = ByStep::of_means(steps.iter().enumerate().map(|(s, value)| (s + 1, *value)), 5);
        assert_eq!(round3(table.overall.unwrap()), 0.797);
        assert_eq!(round3(table.degradation.unwrap()), -0.079);
    }

    #[test]
    fn empty_is_none() {
        assert_eq!(coverage(&[], 2), ByStep { by_step: vec![None, None], overall: None, degradation: None });
    }

    proptest! {
        #[test]
        fn bounded_and_indifferent_to_order(
            steps in proptest::collection::vec((1..4_usize, proptest::option::of(0.0..100.0_f64), 0.0..100.0_f64), 0..9),
        ) {
            let rows: Vec<Row> = steps.iter().map(|(s, model, real)| row(*s, model.map(|grade| ("a", grade)), *real)).collect();
            let backwards: Vec<Row> = rows.iter().rev().copied().collect();
            for of in [coverage, grade_proximity] {
                let (there, back) = (of(&rows, 3), of(&backwards, 3));
                prop_assert!(there.by_step.iter().chain([&there.overall]).flatten().all(|v| (0.0..=1.0).contains(v)));
                prop_assert!(there.degradation.is_none_or(|change| change.abs() <= 1.0));
                let gap = |a: Option<f64>, b: Option<f64>| (a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs();
                // A sum in another order may be rounded to the next thousandth.
                prop_assert!(gap(there.overall, back.overall) <= 1e-3 + 1e-9);
            }
            // Full coverage and the student's own grades are perfect.
            let own: Vec<Row> = steps.iter().map(|(s, _, real)| row(*s, Some(("a", *real)), *real)).collect();
            for value in [coverage(&own, 3), grade_proximity(&own, 3)] {
                prop_assert!(value.overall.is_none_or(|v| v == 1.0) && value.degradation.is_none_or(|change| change == 0.0));
            }
        }
    }
}

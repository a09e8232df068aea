//! The table of an evaluation, as Markdown for people and CSV for programs.

use serde::Serialize;
use std::fmt::Write;

/// One policy on one cell of the split. Shares and proximities are in 0..=1; `None` where nothing was counted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The policy.
    pub policy: String,
    /// The part of the split.
    pub cell: String,
    /// Rollouts.
    pub rollouts: usize,
    /// Published: share of the student's steps at which the policy still submitted.
    pub coverage: Option<f64>,
    /// Published: mean of 1 − |Δgrade|/100 over covered steps.
    pub grade_proximity: Option<f64>,
    /// The same by step.
    pub grade_proximity_by_step: Vec<Option<f64>>,
    /// Over all of the student's steps, a stopped learner keeping its grade.
    pub joint_grade_proximity: Option<f64>,
    /// The trajectory reward's closeness.
    pub closeness: Option<f64>,
    /// Share of submissions that parse.
    pub parses: Option<f64>,
    /// Share of programs that repeat the one before.
    pub copies: Option<f64>,
    /// Share of rollouts that reached full marks.
    pub solved: Option<f64>,
}

/// Rows in the order in which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Table {
    /// The rows.
    pub rows: Vec<Row>,
}

const HEADS: [&str; 10] = [
    "policy",
    "split",
    "rollouts",
    "coverage",
    "grade proximity",
    "joint grade proximity",
    "closeness",
    "parses",
    "copies",
    "solved",
];

impl Row {
    /// The fields in the order of [`HEADS`], numbers as `number` writes them.
    fn cells(&self, number: impl Fn(Option<f64>) -> String) -> [String; 10] {
        [
            self.policy.clone(),
            self.cell.clone(),
            self.rollouts.to_string(),
            number(self.coverage),
            number(self.grade_proximity),
            number(self.joint_grade_proximity),
            number(self.closeness),
            number(self.parses),
            number(self.copies),
            number(self.solved),
        ]
    }
}

/// Three decimals, or a dash where nothing was counted.
fn shown(value: Option<f64>) -> String {
    value.map_or("–".to_string(), |v| format!("{v:.3}"))
}

/// A field of comma-separated values: in quotes where it holds a comma or a quote (RFC 4180).
fn quoted(field: String) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field }
}

impl Table {
    /// An aligned Markdown table.
    pub fn markdown(&self) -> String {
        let rows: Vec<[String; 10]> = self.rows.iter().map(|row| row.cells(shown)).collect();
        let mut widths = HEADS.map(|h| h.chars().count());
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            for (i, (cell, width)) in cells.iter().zip(widths).enumerate() {
                let _ = if i < 2 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
            }
            text.push_str("|\n");
        };
        line(&HEADS.map(String::from));
        let rules: Vec<String> = (0..HEADS.len())
            .map(|i| if i < 2 { "-".repeat(widths[i]) } else { format!("{}:", "-".repeat(widths[i] - 1)) })
            .collect();
        line(&rules);
        rows.iter().for_each(|row| line(row));
        text
    }

    /// Comma-separated values with full precision; an empty field where nothing was counted.
    pub fn csv(&self) -> String {
        let mut text = HEADS.map(|h| h.replace(' ', "_")).join(",") + "\n";
        for row in &self.rows {
            let fields = row.cells(|v| v.map_or(String::new(), |v| v.to_string())).map(quoted);
            text += &(fields.join(",") + "\n");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_and_say_where_nothing_was_counted() {
        let row = Row {
            policy: "SFT".into(),
            cell: "unseen student".into(),
            rollouts: 12,
            coverage: Some(0.5),
            grade_proximity: None,
            grade_proximity_by_step: vec![],
            joint_grade_proximity: Some(0.25),
            closeness: Some(1.0),
            parses: Some(0.125),
            copies: Some(0.0),
            solved: Some(1.0 / 3.0),
        };
        let table = Table { rows: vec![row] };
        let lines: Vec<String> = table.markdown().lines().map(String::from).collect();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|l| l.chars().count() == lines[0].chars().count()));
        assert!(lines[2].contains("| SFT    | unseen student |       12 |    0.500 |               – |"));
        assert_eq!(table.csv().lines().nth(1), Some("SFT,unseen student,12,0.5,,0.25,1,0.125,0,0.3333333333333333"));
    }

    #[test]
    fn a_split_with_a_comma_in_its_name_is_one_field() {
        assert_eq!(quoted("new student, seen problem".into()), "\"new student, seen problem\"");
        assert_eq!(quoted("a \"b\"".into()), "\"a \"\"b\"\"\"");
        assert_eq!(quoted("plain".into()), "plain");
    }
}

//! The numbers of an evaluation as tables: Markdown and LaTeX with the headlines, CSV with everything.

use super::results::{Line, Results};
use novice_rewards::metrics::statistics::{Aim, STATISTICS};
use std::collections::BTreeMap;
use std::fmt::Write;

/// A p-value below this marks a difference.
const SIGNIFICANT: f64 = 0.05;

/// A wide table: a row a policy, a column a statistic.
struct Wide<'a> {
    split: &'a str,
    protocol: &'a str,
    statistics: Vec<&'static str>,
    rows: Vec<(&'a str, usize, usize, Vec<Option<&'a Line>>)>,
}

impl Results {
    /// The headline tables, one a split and protocol.
    fn wide(&self) -> Vec<Wide<'_>> {
        let mut tables: Vec<Wide> = Vec::new();
        for line in &self.lines {
            let there = tables.iter().any(|t| t.split == line.split && t.protocol == line.protocol);
            if !there {
                // A statistic that no policy has a value of is none of this evaluation's.
                let told = |name: &str| self.lines.iter().any(|l| l.statistic == name && l.value.is_some());
                let named = STATISTICS.iter().filter(|s| {
                    s.headline && super::results::protocol_name(s.protocol) == line.protocol && told(s.name)
                });
                let statistics = named.map(|s| s.name).collect();
                tables.push(Wide { split: &line.split, protocol: line.protocol, statistics, rows: Vec::new() });
            }
        }
        for table in &mut tables {
            let mut places: BTreeMap<&str, usize> = BTreeMap::new();
            for line in self.lines.iter().filter(|l| l.split == table.split && l.protocol == table.protocol) {
                let place = *places.entry(&line.policy).or_insert_with(|| {
                    let empty = vec![None; table.statistics.len()];
                    table.rows.push((&line.policy, line.rollouts, line.students, empty));
                    table.rows.len() - 1
                });
                let column = table.statistics.iter().position(|name| *name == line.statistic);
                let cell = column.and_then(|at| table.rows.get_mut(place)?.3.get_mut(at));
                if let Some(cell) = cell {
                    *cell = Some(line);
                }
            }
        }
        tables
    }

    /// Aligned Markdown tables with intervals; `*` marks a difference to the reference.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for table in self.wide() {
            let _ = writeln!(text, "{} · {} protocol\n", table.split, table.protocol);
            let mut cells: Vec<Vec<String>> = vec![vec!["policy".into(), "rollouts".into(), "students".into()]];
            if let Some(head) = cells.first_mut() {
                head.extend(table.statistics.iter().map(|name| titled(name)));
            }
            for (policy, rollouts, students, values) in &table.rows {
                let mut row = vec![policy.to_string(), rollouts.to_string(), students.to_string()];
                row.extend(values.iter().map(|line| shown(*line)));
                cells.push(row);
            }
            text += &aligned(&cells);
            text.push('\n');
        }
        let _ = write!(text, "{:.0} % intervals over students, {} resamples", 100.0 * self.confidence, self.resamples);
        if let Some(reference) = &self.reference {
            let _ = write!(text, "; * differs from {reference} (p < {SIGNIFICANT} after Holm's correction)");
            if let Some(wanted) = self.resamples_wanted(SIGNIFICANT) {
                let _ = write!(text, "; too few for that many comparisons: say `evaluate.resamples: {wanted}` or more");
            }
        }
        text.push('\n');
        text
    }

    /// The same tables for LaTeX (package `booktabs`).
    pub fn latex(&self) -> String {
        let mut text = String::new();
        for table in self.wide() {
            let columns = "r".repeat(table.statistics.len() + 2);
            let names: Vec<String> = table.statistics.iter().map(|name| escaped(&titled(name))).collect();
            let _ = writeln!(text, "% {}, {} protocol", table.split, table.protocol);
            let _ = writeln!(text, "\\begin{{tabular}}{{l{columns}}}\n\\toprule");
            let _ = writeln!(text, "policy & rollouts & students & {} \\\\\n\\midrule", names.join(" & "));
            for (policy, rollouts, students, values) in &table.rows {
                let values: Vec<String> = values.iter().map(|line| escaped(&shown(*line))).collect();
                let _ = writeln!(text, "{} & {rollouts} & {students} & {} \\\\", escaped(policy), values.join(" & "));
            }
            let _ = writeln!(text, "\\bottomrule\n\\end{{tabular}}\n");
        }
        text
    }

    /// Every number, a line each, with full precision; an empty field where there is none.
    pub fn csv(&self) -> String {
        let mut text = String::from(
            "policy,split,protocol,statistic,aim,rollouts,students,value,low,high,difference,difference_low,difference_high,p,p_holm\n",
        );
        for line in &self.lines {
            let aim = match STATISTICS.iter().find(|s| s.name == line.statistic).map(|s| s.aim) {
                Some(Aim::High) => "high",
                Some(Aim::Low) => "low",
                _ => "real",
            };
            let mut fields =
                vec![quoted(&line.policy), quoted(&line.split), line.protocol.into(), line.statistic.into()];
            fields.extend([aim.into(), line.rollouts.to_string(), line.students.to_string()]);
            let Line { value, low, high, difference, difference_low, difference_high, p, p_holm, .. } = line;
            let numbers = [value, low, high, difference, difference_low, difference_high, p, p_holm];
            fields.extend(numbers.map(|number| number.map_or(String::new(), |n| n.to_string())));
            text += &(fields.join(",") + "\n");
        }
        text
    }
}

/// Underlines as blanks.
fn titled(name: &str) -> String {
    name.replace('_', " ")
}

/// Three decimals and the interval, or a dash where nothing was counted.
fn shown(line: Option<&Line>) -> String {
    let Some((line, value)) = line.and_then(|line| Some((line, line.value?))) else { return "–".into() };
    let mark = if line.p_holm.is_some_and(|p| p < SIGNIFICANT) { "*" } else { "" };
    match (line.low, line.high) {
        (Some(low), Some(high)) => format!("{value:.3} [{low:.3}, {high:.3}]{mark}"),
        _ => format!("{value:.3}{mark}"),
    }
}

/// A field of comma-separated values: in quotes where it holds a comma or a quote (RFC 4180).
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.into() }
}

fn escaped(text: &str) -> String {
    text.replace('_', "\\_").replace('%', "\\%").replace('–', "--")
}

/// A Markdown table of rows of equal length, the first of which is the head; the first column to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let _ = if at == 0 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
        }
        text.push_str("|\n");
        if index == 0 {
            for (at, width) in widths.iter().enumerate() {
                let rule = if at == 0 { "-".repeat(*width) } else { "-".repeat(width.saturating_sub(1)) + ":" };
                let _ = write!(text, "| {rule} ");
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::{Point, Record, Results};
    use crate::config::EvaluateSettings;
    use crate::rollout::{End, Rollout, Turn};
    use crate::traces::testing::{report, trajectory};
    use novice_rewards::metrics::diversity::Memory;

    /// The paths that a policy takes from each start.
    type Paths<'a> = &'a [&'a [(&'a str, f64)]];

    /// Two students, a policy that does as they do and one that solves at once.
    fn results() -> Results {
        results_of(&[("ORACLE", &[&[("x = 2", 50.0), ("x = 1", 100.0)]]), ("AT_ONCE", &[&[("x = 1", 100.0)]])])
    }

    fn results_of(policies: &[(&str, Paths)]) -> Results {
        let real: Vec<_> = ["a", "b"]
            .iter()
            .map(|student| trajectory(student, "p", &[("x = 0", 0.0), ("x = 2", 50.0), ("x = 1", 100.0)]))
            .collect();
        let rollout = |steps: &[(&str, f64)]| Rollout {
            turns: steps
                .iter()
                .map(|(code, grade)| Turn {
                    tokens: vec![0; 3],
                    log_probs: vec![],
                    stopped: true,
                    text: code.to_string(),
                    program: Some(code.to_string()),
                    malformed: None,
                    report: Some(report(*grade)),
                    feedback: String::new(),
                    reply: vec![],
                })
                .collect(),
            end: Some(End::Solved),
        };
        let policy = |&(name, paths): &(&str, Paths)| {
            let records = real.iter().flat_map(|trajectory| {
                paths.iter().enumerate().map(|(sample, steps)| Record {
                    point: Point { trajectory, cell: "new student, seen problem", position: 1 },
                    sample,
                    rollout: rollout(steps),
                })
            });
            (name.to_string(), records.collect::<Vec<_>>())
        };
        let policies: Vec<_> = policies.iter().map(policy).collect();
        let settings = EvaluateSettings { resamples: 100, horizon: 2, ..EvaluateSettings::default() };
        Results::of(&policies, &settings, Some("ORACLE"), 7, &Memory::default())
    }

    #[test]
    fn several_rollouts_from_a_start_have_a_score() {
        let results = results_of(&[("BOTH", &[&[("x = 1", 100.0)], &[("x = 2", 50.0), ("x = 3", 50.0)]])]);
        let score = results.lines.iter().find(|l| l.statistic == "grade_curve_score").unwrap();
        // 100 100 and 50 50 against 50 100: each a quarter away. They are a half from each other.
        assert_eq!((score.value, score.rollouts), (Some(0.25 - 0.5 / 2.0), 4));
        assert!(results.markdown().contains("grade curve score"));
    }

    #[test]
    fn tables_hold_the_numbers_worked_out_by_hand() {
        let results = results();
        let find = |policy: &str, statistic: &str| {
            results.lines.iter().find(|l| l.policy == policy && l.statistic == statistic).unwrap()
        };
        assert_eq!(find("ORACLE", "joint_grade_proximity").value, Some(1.0));
        // 100 100 against 50 100.
        let at_once = find("AT_ONCE", "joint_grade_proximity");
        assert_eq!((at_once.value, at_once.difference, at_once.students), (Some(0.75), Some(-0.25), 2));
        assert!(at_once.p_holm >= at_once.p && find("ORACLE", "joint_grade_proximity").p.is_none());
        assert_eq!(find("AT_ONCE", "coverage").value, Some(0.5));
        // One program of two, each sent by both.
        assert_eq!(find("ORACLE", "distinct").value, Some(0.5));
        assert_eq!(find("AT_ONCE", "program_coverage").value, Some(0.5));
        let markdown = results.markdown();
        assert!(!markdown.contains("grade curve score"), "one rollout from each start has none");
        let corrected: Vec<&str> = markdown.lines().filter(|l| l.starts_with('|')).take(4).collect();
        assert!(corrected.iter().all(|l| l.chars().count() == corrected[0].chars().count()), "{markdown}");
        assert!(markdown.contains("new student, seen problem · published protocol"));
        assert!(markdown.contains("0.750 [0.750, 0.750]"), "{markdown}");
        let csv = results.csv();
        assert!(
            csv.contains("AT_ONCE,\"new student, seen problem\",corrected,joint_grade_proximity,high,2,2,0.75,"),
            "{csv}"
        );
        let latex = results.latex();
        assert!(latex.contains("\\toprule") && latex.contains("AT\\_ONCE & 2 & 2 & 0.750"), "{latex}");
    }
}

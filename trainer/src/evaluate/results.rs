//! From rollouts to numbers: every statistic of every policy with its interval, and its difference to a reference policy.
//!
//! Intervals and tests resample students (`novice_rewards::metrics::interval`). p-values are corrected by Holm's method, in families:
//! the comparisons of a split and protocol that the tables show are one, the others another. The measures of diversity belong to a
//! set of programs and have no interval.

use super::shape::Shape;
use super::{Record, tallies};
use crate::config::EvaluateSettings;
use novice_rewards::metrics::diversity::{self, Memory};
use novice_rewards::metrics::interval::{Bootstrap, Difference, Interval, bootstrap, compare, holm};
use novice_rewards::metrics::statistics::{Protocol, STATISTICS, Statistic};
use novice_rewards::metrics::tally::Tally;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// The policy.
    pub policy: String,
    /// The part of the split.
    pub split: String,
    /// `corrected` or `published`.
    pub protocol: &'static str,
    /// The statistic's name.
    pub statistic: &'static str,
    /// Rollouts that were counted.
    pub rollouts: usize,
    /// Students that they stand beside.
    pub students: usize,
    /// The number; `None` where nothing was counted.
    pub value: Option<f64>,
    /// Lower end of its interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Difference to the reference policy.
    pub difference: Option<f64>,
    /// Lower end of its interval.
    pub difference_low: Option<f64>,
    /// Upper end.
    pub difference_high: Option<f64>,
    /// Two-sided p-value of no difference.
    pub p: Option<f64>,
    /// The same, corrected for the number of comparisons.
    pub p_holm: Option<f64>,
}

/// All numbers of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Results {
    /// The policy that others are compared with.
    pub reference: Option<String>,
    /// Draws of the intervals.
    pub resamples: usize,
    /// Their confidence.
    pub confidence: f64,
    /// By split, policy, statistic.
    pub lines: Vec<Line>,
    /// What charts show of each policy, all parts of the split together; nothing for the arms of an ablation.
    pub shapes: Vec<Shape>,
}

/// `corrected` or `published`.
pub(super) fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Corrected => "corrected",
        Protocol::Published => "published",
    }
}

impl Results {
    /// The numbers of policies that were rolled out from the same points. `memory` holds the training programs.
    pub fn of(
        policies: &[(String, Vec<Record>)],
        settings: &EvaluateSettings,
        reference: Option<&str>,
        seed: u64,
        memory: &Memory,
    ) -> Results {
        let (resamples, confidence) = (settings.resamples, settings.confidence);
        let options = Bootstrap { resamples, confidence, seed };
        let cells: BTreeSet<&str> = policies.iter().flat_map(|(_, records)| records).map(|r| r.point.cell).collect();
        let statistics: Vec<Statistic> =
            STATISTICS.iter().copied().filter(|s| settings.protocol.shows(s.protocol)).collect();
        let mut lines = Vec::new();
        let mut whole: BTreeMap<&str, BTreeMap<&str, Tally>> = BTreeMap::new();
        for cell in cells {
            let counted: Vec<(&str, BTreeMap<&str, Tally>, &[Record])> = policies
                .iter()
                .map(|(policy, records)| {
                    (policy.as_str(), tallies(records, cell, settings.horizon, memory), records.as_slice())
                })
                .collect();
            for (policy, students, _) in &counted {
                let sums = whole.entry(policy).or_default();
                for (student, tally) in students {
                    sums.entry(student).or_insert_with(|| Tally::new(tally.turns())).add(tally, 1.0);
                }
            }
            let reference = counted.iter().find(|(policy, ..)| reference == Some(*policy));
            let reference: Option<(&str, Vec<Tally>)> =
                reference.map(|(policy, students, _)| (*policy, students.values().cloned().collect()));
            let all = |students: &[Tally]| students.iter().map(|tally| tally.rollouts).sum::<f64>();
            let first = lines.len();
            for (policy, students, records) in &counted {
                let students: Vec<Tally> = students.values().cloned().collect();
                let values = bootstrap(&students, &statistics, options);
                let differences = match &reference {
                    // A policy that left out points is not compared: the pairs would not be pairs.
                    Some((other, theirs)) if other != policy && all(theirs) == all(&students) => {
                        compare(&students, theirs, &statistics, options)
                    }
                    _ => vec![None; statistics.len()],
                };
                let rollouts = records.iter().filter(|r| r.point.cell == cell).count();
                let counts = (rollouts, students.len());
                let line = |statistic: &Statistic, value: Option<Interval>, difference: Option<Difference>| {
                    Line::new((policy, cell), counts, statistic, value, difference)
                };
                let numbers = statistics.iter().zip(values).zip(differences);
                lines.extend(numbers.map(|((statistic, value), difference)| line(statistic, value, difference)));
                if settings.protocol.shows(Protocol::Corrected) {
                    for (name, value) in diversities(records, cell, settings.horizon) {
                        let template = line(&STATISTICS[0], None, None);
                        lines.push(Line { statistic: name, value, ..template });
                    }
                }
            }
            correct(lines.get_mut(first..).unwrap_or_default());
        }
        // In the policies' own order.
        let shape = |(policy, _): &(String, Vec<Record>)| {
            let students = whole.get(policy.as_str())?;
            Some(Shape::of(policy, &students.values().collect::<Vec<_>>()))
        };
        let shapes = policies.iter().filter_map(shape).collect();
        Results { reference: reference.map(String::from), resamples, confidence, lines, shapes }
    }
}

impl Line {
    /// The protocol, and whether the tables show it: what is compared together.
    fn family(&self) -> (&'static str, bool) {
        let headline = STATISTICS.iter().any(|s| s.name == self.statistic && s.headline);
        (self.protocol, headline)
    }

    /// The line of a policy in a split, whose statistic was taken over so many rollouts and students. [`correct`] fills in the rest.
    pub(super) fn new(
        (policy, split): (&str, &str),
        (rollouts, students): (usize, usize),
        statistic: &Statistic,
        value: Option<Interval>,
        difference: Option<Difference>,
    ) -> Line {
        Line {
            policy: policy.to_string(),
            split: split.to_string(),
            protocol: protocol_name(statistic.protocol),
            statistic: statistic.name,
            rollouts,
            students,
            value: value.map(|v| v.value),
            low: value.map(|v| v.low),
            high: value.map(|v| v.high),
            difference: difference.map(|d| d.interval.value),
            difference_low: difference.map(|d| d.interval.low),
            difference_high: difference.map(|d| d.interval.high),
            p: difference.map(|d| d.p),
            p_holm: None,
        }
    }
}

impl Results {
    /// The resamples without which no difference in the tables could be significant at `level` after its correction, where there are fewer:
    /// a p-value is at least 2 / (resamples + 1), and is multiplied by the size of its family.
    pub(super) fn resamples_wanted(&self, level: f64) -> Option<usize> {
        let mut sizes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| line.p.is_some() && line.family().1) {
            *sizes.entry((&line.split, line.protocol)).or_default() += 1;
        }
        let largest = sizes.into_values().max()? as f64;
        let wanted = (2.0 * largest / level).ceil() as usize;
        (wanted > self.resamples).then_some(wanted)
    }
}

/// Corrects the p-values of one split for their number, family by family.
pub(super) fn correct(lines: &mut [Line]) {
    let mut families: BTreeMap<(&str, bool), Vec<&mut Line>> = BTreeMap::new();
    for line in lines.iter_mut().filter(|line| line.p.is_some()) {
        families.entry(line.family()).or_default().push(line);
    }
    for mut family in families.into_values() {
        let corrected = holm(&family.iter().filter_map(|line| line.p).collect::<Vec<_>>());
        for (line, p) in family.iter_mut().zip(corrected) {
            line.p_holm = Some(p);
        }
    }
}

/// Self-BLEU of the last programs (mean over problems), the share of different programs, and the share of the students' programs
/// that turn up.
fn diversities(records: &[Record], cell: &str, horizon: usize) -> [(&'static str, Option<f64>); 3] {
    let records: Vec<&Record> = records.iter().filter(|r| r.point.cell == cell).collect();
    let programs = |record: &'_ Record| -> Vec<String> {
        record.rollout.turns.iter().filter_map(|turn| turn.program.clone()).collect()
    };
    let generated: Vec<String> = records.iter().flat_map(|record| programs(record)).collect();
    let real = records.iter().flat_map(|r| r.point.trajectory.steps.iter().skip(r.point.position).take(horizon));
    let real: Vec<&str> = real.map(|step| step.code.as_str()).collect();
    let mut last: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for record in &records {
        last.entry(&record.point.trajectory.problem).or_default().extend(programs(record).pop());
    }
    let bleus: Vec<f64> = last
        .values()
        .filter_map(|texts| diversity::self_bleu(&texts.iter().map(String::as_str).collect::<Vec<_>>()))
        .collect();
    let texts = || generated.iter().map(String::as_str);
    [
        ("self_bleu", (!bleus.is_empty()).then(|| bleus.iter().sum::<f64>() / bleus.len() as f64)),
        ("distinct", diversity::distinct_share(texts())),
        ("program_coverage", diversity::coverage(real, texts())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(statistic: &'static str, p: f64) -> Line {
        Line {
            policy: "A".into(),
            split: "all".into(),
            protocol: "corrected",
            statistic,
            rollouts: 1,
            students: 1,
            value: None,
            low: None,
            high: None,
            difference: None,
            difference_low: None,
            difference_high: None,
            p: Some(p),
            p_holm: None,
        }
    }

    #[test]
    fn what_the_tables_show_is_a_family_of_its_own() {
        let mut lines =
            vec![line("solved", 0.01), line("solved_next_gap", 0.01), line("parses", 0.02), line("copies", 0.5)];
        lines.push(Line { protocol: "published", ..line("coverage", 0.04) });
        correct(&mut lines);
        let holm: Vec<f64> = lines.iter().filter_map(|line| line.p_holm).collect();
        assert_eq!(holm, [0.03, 0.01, 0.04, 0.5, 0.04]);
        let results =
            |resamples| Results { reference: None, resamples, confidence: 0.95, lines: lines.clone(), shapes: vec![] };
        // Three comparisons of the corrected protocol are shown: 2/(119 + 1) times 3 is 0.05 and no less.
        assert_eq!(results(119).resamples_wanted(0.05), Some(120));
        assert_eq!(results(120).resamples_wanted(0.05), None);
    }
}

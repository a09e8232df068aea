//! Every number of an evaluation's tables, by name, as a function of a [`Tally`].
//!
//! Two protocols, never mixed in a table. The *corrected* one conditions on nobody's survival: a learner who has stopped keeps the grade that it has.
//! The *published* one counts only steps at which both still submit, rounds grades to integers and means to three decimals, and averages the
//! steps without weights.

use super::solving::{calibration, discrimination, gap};
use super::tally::{Mean, RUNGS, Tally, Whose};

/// Which table a statistic belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Nobody is left out.
    Corrected,
    /// As published.
    Published,
}

/// What a good value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aim {
    /// The higher the better.
    High,
    /// The lower the better.
    Low,
    /// Whatever the real students' value is: the oracle's row has it.
    Real,
}

/// One number of a table.
#[derive(Clone, Copy)]
pub struct Statistic {
    /// Its name.
    pub name: &'static str,
    /// What it means, in a line.
    pub meaning: &'static str,
    /// Its table.
    pub protocol: Protocol,
    /// What a good value is.
    pub aim: Aim,
    /// Whether the narrow table for people shows it.
    pub headline: bool,
    /// The number; `None` where nothing was counted.
    pub of: fn(&Tally) -> Option<f64>,
}

const fn corrected(
    name: &'static str,
    aim: Aim,
    headline: bool,
    meaning: &'static str,
    of: fn(&Tally) -> Option<f64>,
) -> Statistic {
    Statistic { name, meaning, protocol: Protocol::Corrected, aim, headline, of }
}

const fn published(name: &'static str, meaning: &'static str, of: fn(&Tally) -> Option<f64>) -> Statistic {
    Statistic { name, meaning, protocol: Protocol::Published, aim: Aim::High, headline: true, of }
}

/// All of them, in the order of the tables.
pub const STATISTICS: [Statistic; 33] = [
    corrected(
        "joint_grade_proximity",
        Aim::High,
        true,
        "mean over the student's steps of 1 - |Δgrade|/100, last grade held",
        |t| t.mean(Mean::Grade),
    ),
    corrected(
        "grade_curve_distance",
        Aim::Low,
        true,
        "mean over all turns up to the limit of |Δgrade|/100, last grade held",
        |t| t.mean(Mean::Curve),
    ),
    corrected(
        "grade_curve_score",
        Aim::Low,
        true,
        "grade curve distance less half of that between rollouts from one start; best for the students' own distribution",
        |t| t.mean(Mean::CurveScore),
    ),
    corrected(
        "outcome_agreement",
        Aim::High,
        true,
        "mean over the student's steps of the share of tests with equal outcome, last outcomes held",
        |t| t.mean(Mean::Outcomes),
    ),
    corrected("trajectory_closeness", Aim::High, false, "the trajectory reward", |t| t.mean(Mean::Closeness)),
    corrected(
        "solve_survival_distance",
        Aim::Low,
        true,
        "mean over steps of the gap between the shares that have solved",
        |t| survival(t, |s| s.0),
    ),
    corrected(
        "stop_survival_distance",
        Aim::Low,
        false,
        "mean over steps of the gap between the shares that have stopped unsolved",
        |t| survival(t, |s| s.1),
    ),
    corrected(
        "ladder_distance",
        Aim::Low,
        false,
        "total variation between transitions among no program, no parse, raised, ran, solved",
        ladder,
    ),
    corrected("edit_kind_distance", Aim::Low, true, "total variation between the kinds of edits", kinds),
    corrected("status_agreement", Aim::High, false, "share of common turns that parsed and raised alike", |t| {
        t.mean(Mean::Status)
    }),
    corrected(
        "edit_size_likeness",
        Aim::High,
        false,
        "mean over common turns of sqrt(min/max) of the edit sizes",
        |t| t.mean(Mean::EditSize),
    ),
    corrected(
        "edit_kind_likeness",
        Aim::High,
        false,
        "mean over common turns: same kind of edit 1, same family 1/2",
        |t| t.mean(Mean::EditKind),
    ),
    corrected(
        "edit_place_overlap",
        Aim::High,
        true,
        "mean over common turns of the overlap of the lines that the edits touch",
        |t| t.mean(Mean::EditPlace),
    ),
    corrected(
        "token_similarity",
        Aim::High,
        false,
        "mean over common turns of the token edit similarity of the programs",
        |t| t.mean(Mean::Tokens),
    ),
    corrected(
        "tree_similarity",
        Aim::High,
        false,
        "mean over common turns of the tree edit similarity of the programs",
        |t| t.mean(Mean::Tree),
    ),
    corrected("codebleu", Aim::High, false, "mean over common turns of corrected CodeBLEU", |t| t.mean(Mean::CodeBleu)),
    corrected("solved", Aim::Real, true, "share of rollouts with full marks within the horizon", |t| {
        t.mean(Mean::Solved)
    }),
    corrected("solved_next", Aim::Real, false, "share with full marks at the first step", |t| t.mean(Mean::SolvedNext)),
    corrected("solved_next_gap", Aim::Real, false, "that share less the students' at the same starts", gap),
    corrected(
        "solved_next_calibration",
        Aim::Low,
        false,
        "mean over starts of the gap between both shares among the starts with a like grade",
        calibration,
    ),
    corrected(
        "solved_next_discrimination",
        Aim::High,
        false,
        "the share that solves at the first step where the student does, less that where the student does not",
        discrimination,
    ),
    corrected("final_grade", Aim::Real, false, "mean of the last grade, of 100", |t| t.mean(Mean::FinalGrade)),
    corrected("parses", Aim::Real, true, "share of submissions that parse", |t| t.mean(Mean::Parses)),
    corrected("copies", Aim::Real, true, "share of programs that repeat the one before", |t| t.mean(Mean::Copies)),
    corrected(
        "functional_backtracking",
        Aim::Real,
        false,
        "share of programs that pass fewer tests than the one before",
        |t| t.mean(Mean::FunctionalBacktrack),
    ),
    corrected(
        "textual_backtracking",
        Aim::Real,
        false,
        "share of programs farther from the last one than the one before",
        |t| t.mean(Mean::TextualBacktrack),
    ),
    corrected("memorised", Aim::Real, false, "share of programs that are programs of the training data", |t| {
        t.mean(Mean::Memorised)
    }),
    published("coverage", "share of the student's steps at which the policy still submits", |t| coverage(t).1),
    published("grade_proximity", "mean of the steps' means of 1 - |Δgrade|/100 where both submit", |t| {
        by_step(t, 2).1
    }),
    published("codebleu_published", "the same of CodeBLEU as published", |t| by_step(t, 3).1),
    published("coverage_degradation", "mean over later steps of the change from the first", |t| {
        degradation(&coverage(t).0)
    }),
    published("grade_degradation", "the same of grade proximity", |t| degradation(&by_step(t, 2).0)),
    published("codebleu_degradation", "the same of CodeBLEU", |t| degradation(&by_step(t, 3).0)),
];

/// Total variation distance of two distributions given as counts, in 0..=1; `None` where either is empty.
pub fn total_variation(a: &[f64], b: &[f64]) -> Option<f64> {
    let (all_a, all_b) = (a.iter().sum::<f64>(), b.iter().sum::<f64>());
    let gaps = a.iter().zip(b).map(|(a, b)| (a / all_a - b / all_b).abs());
    (all_a > 0.0 && all_b > 0.0).then(|| 0.5 * gaps.sum::<f64>())
}

fn kinds(t: &Tally) -> Option<f64> {
    total_variation(t.kinds(Whose::Model), t.kinds(Whose::Student))
}

fn ladder(t: &Tally) -> Option<f64> {
    debug_assert_eq!(t.ladder(Whose::Model).len(), RUNGS * RUNGS);
    total_variation(t.ladder(Whose::Model), t.ladder(Whose::Student))
}

fn survival(t: &Tally, of: fn(&(f64, f64)) -> f64) -> Option<f64> {
    let (ours, theirs) = (t.survival(Whose::Model), t.survival(Whose::Student));
    let gaps: f64 = ours.iter().zip(&theirs).map(|(a, b)| (of(a) - of(b)).abs()).sum();
    (t.rollouts > 0.0 && t.turns() > 0).then(|| gaps / t.turns() as f64)
}

type Steps = Vec<Option<f64>>;

fn round3(value: f64) -> f64 {
    (value * 1000.0).round_ties_even() / 1000.0
}

/// By step and pooled.
fn coverage(t: &Tally) -> (Steps, Option<f64>) {
    let counts: Vec<(f64, f64)> = (0..t.turns())
        .map(|step| match t.published(step) {
            [all, covered, ..] => (*covered, *all),
            _ => (0.0, 0.0),
        })
        .collect();
    let share = |(covered, all): (f64, f64)| (all > 0.0).then(|| covered / all);
    let pooled = counts.iter().fold((0.0, 0.0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    (counts.iter().map(|count| share(*count).map(round3)).collect(), share(pooled))
}

/// Means over covered steps, by step, and the unweighted mean of those.
pub fn by_step(t: &Tally, quantity: usize) -> (Steps, Option<f64>) {
    let steps: Steps = (0..t.turns())
        .map(|step| {
            let numbers = t.published(step);
            let (sum, covered) = (numbers.get(quantity)?, numbers.get(1)?);
            (*covered > 0.0).then(|| round3(sum / covered))
        })
        .collect();
    let known: Vec<f64> = steps.iter().flatten().copied().collect();
    let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64);
    (steps, mean)
}

fn degradation(steps: &[Option<f64>]) -> Option<f64> {
    let first = steps.first().copied().flatten()?;
    let later: Vec<f64> = steps.iter().skip(1).flatten().map(|value| value - first).collect();
    (!later.is_empty()).then(|| later.iter().sum::<f64>() / later.len() as f64)
}

#[cfg(test)]
mod tests;

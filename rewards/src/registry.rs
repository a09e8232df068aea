//! The rewards there are: name, range, formula, source; one table that configuration, `novice rewards list` and the composition share.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A reward. Names in YAML are in snake case; [`RewardName::entry`] says what each is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the table documents them")]
pub enum RewardName {
    PublishedStep,
    PublishedStepPrinted,
    CorrectedStep,
    Trajectory,
    TrajectoryGrades,
    TrajectoryOutcomes,
    TrajectorySteps,
    TrajectoryMoment,
    TrajectoryStatus,
    CurveArea,
    CurveWarping,
    OutcomeWarping,
    Ending,
    EditKind,
    EditPlace,
    ProgramTokens,
    ProgramTree,
    ProgramCodebleu,
    Wellformed,
    Length,
    Novelty,
    Energy,
}

/// What a reward is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The reward.
    pub name: RewardName,
    /// Its name in YAML and in logs.
    pub text: &'static str,
    /// The lowest and the highest value.
    pub range: (f64, f64),
    /// Its formula, in a line.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
}

const UNIT: (f64, f64) = (0.0, 1.0);

const fn entry(
    name: RewardName,
    text: &'static str,
    range: (f64, f64),
    formula: &'static str,
    source: &'static str,
) -> Entry {
    Entry { name, text, range, formula, source }
}

const OWN: &str = "this project";

/// Every reward, in the order of the documentation.
pub const ENTRIES: [Entry; 22] = [
    entry(
        RewardName::PublishedStep,
        "published_step",
        (-0.75, 2.0),
        "mean over turns of max(base + length/2, -0.75); base: no program -1, does not parse -0.5, raises 0, same program +2, same grade +1, else 0",
        "Koutcheme et al. 2026, arXiv:2604.10720, as released",
    ),
    entry(
        RewardName::PublishedStepPrinted,
        "published_step_printed",
        (-1.5, 2.0),
        "the same with -1 for a program that does not parse, and without the floor",
        "Koutcheme et al. 2026, arXiv:2604.10720, as printed",
    ),
    entry(
        RewardName::CorrectedStep,
        "corrected_step",
        (-1.0, 1.0),
        "mean over turns of max(credit + penalty + length/2, -1); credit = (0.6 outcomes + 0.3 grade + 0.1 status)/2 + edit/2, 0 for a copy",
        "this project, from the published step",
    ),
    entry(
        RewardName::Trajectory,
        "trajectory",
        UNIT,
        "wellformed · (0.30 grades + 0.25 outcomes + 0.15 steps + 0.20 moment + 0.10 status), repeats earning nothing",
        OWN,
    ),
    entry(
        RewardName::TrajectoryGrades,
        "trajectory_grades",
        UNIT,
        "mean over turns of 1 - |Δgrade|/100, last grade held; 0 at a repeat",
        OWN,
    ),
    entry(
        RewardName::TrajectoryOutcomes,
        "trajectory_outcomes",
        UNIT,
        "mean over turns of the share of tests with equal outcome, tests that never change weighing 1/4; 0 at a repeat",
        OWN,
    ),
    entry(
        RewardName::TrajectorySteps,
        "trajectory_steps",
        UNIT,
        "mean over turns of sqrt(min/max) of the two edit sizes (1 - token edit similarity)",
        OWN,
    ),
    entry(
        RewardName::TrajectoryMoment,
        "trajectory_moment",
        UNIT,
        "both solve: 1 - |Δturn|/(H - 1); neither: 1 - |Δturns|/H; one: 0",
        OWN,
    ),
    entry(
        RewardName::TrajectoryStatus,
        "trajectory_status",
        UNIT,
        "share of turns on which parsing and raising went alike; 0 at a repeat",
        OWN,
    ),
    entry(RewardName::CurveArea, "curve_area", UNIT, "novelty · (1 - area between the grade curves / (100 H))", OWN),
    entry(
        RewardName::CurveWarping,
        "curve_warping",
        UNIT,
        "novelty · (1 - D/(n + m)), D the time-warped distance of the grades, diagonal steps weighing 2, band of 1 turn",
        "Sakoe & Chiba 1978, symmetric form",
    ),
    entry(
        RewardName::OutcomeWarping,
        "outcome_warping",
        UNIT,
        "the same over vectors of test outcomes, cost the share of tests that differ",
        "Sakoe & Chiba 1978, symmetric form",
    ),
    entry(
        RewardName::Ending,
        "ending",
        UNIT,
        "1/2 [both solved, gave up, were at work or broke down] + 1/2 trajectory_moment",
        OWN,
    ),
    entry(
        RewardName::EditKind,
        "edit_kind",
        UNIT,
        "mean over turns: same kind of edit 1, same family 1/2, else 0; 0 at a repeat",
        "kinds: Ross et al. 2025, arXiv:2510.05056, for Python",
    ),
    entry(
        RewardName::EditPlace,
        "edit_place",
        UNIT,
        "mean over turns of the overlap (intersection over union) of the stretches of lines that the edits touch; 0 at a repeat",
        OWN,
    ),
    entry(
        RewardName::ProgramTokens,
        "program_tokens",
        UNIT,
        "mean over turns of the share of the way to the student's next program covered, by token edits; 0 at a repeat",
        "Levenshtein over tokens",
    ),
    entry(
        RewardName::ProgramTree,
        "program_tree",
        UNIT,
        "the same by tree edits",
        "Zhang & Shasha 1989; TSED, Song et al. 2024",
    ),
    entry(
        RewardName::ProgramCodebleu,
        "program_codebleu",
        UNIT,
        "the same by corrected CodeBLEU",
        "Ren et al. 2020, arXiv:2009.10297",
    ),
    entry(RewardName::Wellformed, "wellformed", UNIT, "share of turns that hold a program", OWN),
    entry(
        RewardName::Length,
        "length",
        UNIT,
        "mean over turns of 1 + soft overlong penalty; 0 for a turn cut off",
        "Yu et al. 2025 (DAPO), arXiv:2503.14476",
    ),
    entry(
        RewardName::Novelty,
        "novelty",
        UNIT,
        "share of turns that do not send an earlier program again where the student does not",
        OWN,
    ),
    entry(
        RewardName::Energy,
        "energy",
        (-1.0, 1.0),
        "closeness (grades, outcomes, edits, ending) to the student - mean closeness to the group's other rollouts; the gradient of the energy score",
        "Gneiting & Raftery 2007, 4.3",
    ),
];

impl RewardName {
    /// Every reward, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = RewardName> {
        ENTRIES.iter().map(|entry| entry.name)
    }

    /// What it is.
    pub fn entry(self) -> &'static Entry {
        // The variants stand in the order of the table; a test holds them to it.
        ENTRIES.get(self as usize).unwrap_or(&ENTRIES[0])
    }

    /// The name used in YAML and in logs.
    pub fn as_str(self) -> &'static str {
        self.entry().text
    }

    /// The lowest and the highest value.
    pub fn range(self) -> (f64, f64) {
        self.entry().range
    }

    /// Whether its value depends on the group's other rollouts.
    pub fn of_group(self) -> bool {
        self == RewardName::Energy
    }
}

impl fmt::Display for RewardName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RewardName {
    type Err = String;

    /// Parses the YAML name; the error lists the names there are.
    fn from_str(text: &str) -> Result<Self, String> {
        RewardName::all().find(|name| name.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = RewardName::all().map(RewardName::as_str).collect();
            format!("no reward is called `{text}`; there are: {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_stand_in_the_order_of_the_table() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            assert_eq!(entry.name as usize, index, "{}", entry.text);
            assert_eq!(entry.text.parse(), Ok(entry.name));
            assert_eq!(format!("{:?}", entry.name).to_lowercase(), entry.text.replace('_', ""));
            assert!(entry.range.0 < entry.range.1 && !entry.formula.is_empty() && !entry.source.is_empty());
        }
        assert!("trajectry".parse::<RewardName>().unwrap_err().contains("trajectory_grades"));
    }
}

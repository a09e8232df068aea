//! The names of policies without a model: baselines for evaluation, exploits and honest players for the audit of a reward.
//!
//! | script | what it submits at each turn |
//! |---|---|
//! | `oracle` | what the student does next |
//! | `random_student` | the continuation of another student of the problem, from a random submission on |
//! | `nearest_student` | the continuation of the other student whose submission is nearest to the start: fewest tests that differ, then token edits |
//! | `copy` | the last program again |
//! | `disguised_copy` | the last program with another useless statement, so that it is no copy to the eye |
//! | `solve_at_once` | the course's solution, or where there is none a solving submission of another student |
//! | `mixed` | three times in four as `disguised_copy`, once as `solve_at_once`: nearly the right grades, and nothing of a student's work |
//! | `always_zero` | programs that do nothing, each another one |
//! | `empty` | an empty program |
//! | `silent` | a turn without a program |
//! | `giant` | the last program with as much useless text as the limit of tokens allows, and is cut off there |
//! | `endless`, `exit`, `equals_all`, `flood` | hostile: loops for ever; leaves the interpreter; answers with an object that is equal to everything; prints without end |
//!
//! `scripted` plays them.

/// A policy without a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the module's table documents them")]
pub enum Script {
    Oracle,
    RandomStudent,
    NearestStudent,
    Copy,
    DisguisedCopy,
    SolveAtOnce,
    Mixed,
    AlwaysZero,
    Empty,
    Silent,
    Giant,
    Endless,
    Exit,
    EqualsAll,
    Flood,
}

impl Script {
    /// All of them.
    pub const ALL: [Script; 15] = [
        Script::Oracle,
        Script::NearestStudent,
        Script::RandomStudent,
        Script::Copy,
        Script::DisguisedCopy,
        Script::SolveAtOnce,
        Script::Mixed,
        Script::AlwaysZero,
        Script::Empty,
        Script::Silent,
        Script::Giant,
        Script::Endless,
        Script::Exit,
        Script::EqualsAll,
        Script::Flood,
    ];

    /// Those that stand in the tables of an evaluation.
    pub const BASELINES: [Script; 7] = [
        Script::Oracle,
        Script::NearestStudent,
        Script::RandomStudent,
        Script::Copy,
        Script::DisguisedCopy,
        Script::SolveAtOnce,
        Script::AlwaysZero,
    ];

    /// The name as a policy of an evaluation.
    pub fn label(self) -> String {
        self.as_str().to_uppercase()
    }

    /// The name in lines of an audit.
    pub fn as_str(self) -> &'static str {
        match self {
            Script::Oracle => "oracle",
            Script::RandomStudent => "random_student",
            Script::NearestStudent => "nearest_student",
            Script::Copy => "copy",
            Script::DisguisedCopy => "disguised_copy",
            Script::SolveAtOnce => "solve_at_once",
            Script::Mixed => "mixed",
            Script::AlwaysZero => "always_zero",
            Script::Empty => "empty",
            Script::Silent => "silent",
            Script::Giant => "giant",
            Script::Endless => "endless",
            Script::Exit => "exit",
            Script::EqualsAll => "equals_all",
            Script::Flood => "flood",
        }
    }

    /// Whether it plays otherwise from sample to sample.
    pub(super) fn varies(self) -> bool {
        matches!(self, Script::RandomStudent | Script::Mixed)
    }

    /// Whether its programs use up the sandbox's limits.
    pub(super) fn is_slow(self) -> bool {
        matches!(self, Script::Endless | Script::Flood)
    }

    /// Whether it plays as a student does, rather than for the reward.
    pub fn honest(self) -> bool {
        matches!(self, Script::Oracle | Script::RandomStudent | Script::NearestStudent)
    }
}

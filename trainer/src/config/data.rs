//! Settings of the data: where logs come from, what is kept, how learners and problems are split.

use super::SyntheticSettings;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where submission logs come from and what becomes of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// The course: problems with statements and tests (YAML file or folder). Absent: `course.yaml` beside this file.
    pub course: PathBuf,
    /// Where the trajectories come from.
    pub source: Source,
    /// Submission logs in the native JSON-lines form; needed by `source: native`.
    pub traces: Option<PathBuf>,
    /// Synthesised learners; used by `source: synthetic`.
    pub synthetic: SyntheticSettings,
    /// What is kept.
    pub filters: FilterSettings,
    /// Which trajectories are held out.
    pub split: SplitSettings,
}

impl Default for DataSettings {
    fn default() -> Self {
        DataSettings {
            course: PathBuf::from("course.yaml"),
            source: Source::Native,
            traces: None,
            synthetic: SyntheticSettings::default(),
            filters: FilterSettings::default(),
            split: SplitSettings::default(),
        }
    }
}

/// Kinds of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// JSON lines, one submission a line.
    Native,
    /// Learners made from the course's reference solutions.
    Synthetic,
}

/// Which trajectories and submissions are kept. Everything dropped is counted in the audit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterSettings {
    /// Trajectories with fewer submissions (after all other filters) are dropped.
    pub min_submissions: usize,
    /// Later submissions of a longer trajectory are dropped; 0 keeps all.
    pub max_submissions: usize,
    /// Drop consecutive submissions whose normal form is that of the one before.
    pub deduplicate: bool,
    /// Drop what follows the first submission with full marks.
    pub stop_when_solved: bool,
    /// What to do where the recorded grade is not the one that the sandbox gives.
    pub mismatch: Mismatch,
    /// Drop trajectories whose last grade is below this, in 0..100.
    pub min_final_grade: f64,
    /// Drop trajectories of problems that fewer students have one of (after all other filters); 0 keeps all.
    pub min_students: usize,
    /// Submissions longer than this many bytes end their trajectory; 0 keeps all.
    pub max_code_bytes: usize,
}

impl Default for FilterSettings {
    fn default() -> Self {
        FilterSettings {
            min_submissions: 2,
            max_submissions: 0,
            deduplicate: true,
            stop_when_solved: true,
            mismatch: Mismatch::Keep,
            min_final_grade: 0.0,
            min_students: 0,
            max_code_bytes: 8192,
        }
    }
}

/// What becomes of a trajectory in which a recorded grade differs from the sandbox's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mismatch {
    /// Keep it; the sandbox's grade is used.
    Keep,
    /// Keep what precedes the first difference.
    Truncate,
    /// Drop the whole trajectory.
    Drop,
}

/// Which trajectories are held out from training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SplitSettings {
    /// What is held out.
    pub by: SplitBy,
    /// Share of students held out, in 0..1 (`student`, `novelty`).
    pub held_out_students: f64,
    /// Share of problems held out, in 0..1 (`problem`, `novelty`).
    pub held_out_problems: f64,
}

impl Default for SplitSettings {
    fn default() -> Self {
        SplitSettings { by: SplitBy::Student, held_out_students: 0.2, held_out_problems: 0.2 }
    }
}

/// Units of the split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SplitBy {
    /// Whole students.
    Student,
    /// Whole problems.
    Problem,
    /// Both: four cells, of which only seen student × seen problem is trained on.
    Novelty,
}

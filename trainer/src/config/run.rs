//! Settings of the stage SFT, of evaluation, of the sandbox and of what is written while a run goes on.

use super::{Feedback, OptimiserSettings, RemoteSettings, Sampling};
use novice_rewards::metrics::statistics::Protocol;
use novice_sandbox::Deviation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Names of the stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// Supervised fine-tuning on what students submitted.
    Sft,
    /// Offline preferences between what a student did next and what came later.
    Dpo,
    /// Online training on graded rollouts.
    Dapo,
}

impl AsRef<str> for StageName {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl StageName {
    /// `sft`, `dpo` or `dapo`: in files and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            StageName::Sft => "sft",
            StageName::Dpo => "dpo",
            StageName::Dapo => "dapo",
        }
    }
}

/// Supervised fine-tuning: every submission of a trajectory is a target, in one pass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SftSettings {
    /// Passes over the training trajectories.
    pub epochs: usize,
    /// Trajectories a step.
    pub batch_trajectories: usize,
    /// The first submission is a target too. As published it is not.
    pub train_first_submission: bool,
    /// Learning rate, schedule, clipping.
    pub optimiser: OptimiserSettings,
    /// Steps between two evaluations of the held-out loss; 0 for the end only.
    pub eval_every: usize,
}

impl Default for SftSettings {
    fn default() -> Self {
        SftSettings {
            epochs: 1,
            batch_trajectories: 16,
            train_first_submission: true,
            optimiser: OptimiserSettings::default(),
            eval_every: 20,
        }
    }
}

/// Rollouts beside real students.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluateSettings {
    /// Held-out trajectories that are used, drawn with the run's seed; 0 for all.
    pub max_trajectories: usize,
    /// Steps ahead of each start.
    pub horizon: usize,
    /// Starts a trajectory, spread evenly; 0 for every position after the first submission, as published.
    pub starts_per_trajectory: usize,
    /// Rollouts from each start; with two or more, tables hold the grade curve score. Remote models make one in any case.
    pub samples: usize,
    /// Longest submission in tokens.
    pub max_new_tokens: usize,
    /// How tokens are drawn; temperature 0 is greedy, as published.
    pub sampling: Sampling,
    /// What the grader's answers to a policy's own submissions say; as in `dialogue.feedback` when absent. What the student
    /// was told before the start is told as in `dialogue.feedback` in any case. As published it is `full`, also for a model
    /// that was trained without feedback and whose prompts hold none.
    pub feedback: Option<Feedback>,
    /// Prompted models behind an HTTP API, beside the run's own.
    pub remote: Vec<RemoteSettings>,
    /// Which tables are made.
    pub protocol: ProtocolChoice,
    /// Roll out the baselines beside the models: real students, copies, the solution at once, …
    pub baselines: bool,
    /// The policy that others are compared with, such as `SFT`; the first trained model when absent.
    pub reference: Option<String>,
    /// Draws of students for intervals and tests.
    pub resamples: usize,
    /// Confidence of the intervals, in 0..1.
    pub confidence: f64,
}

/// Which tables an evaluation makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtocolChoice {
    /// Measures in which nobody is left out.
    Corrected,
    /// Coverage, grade proximity, CodeBLEU and their degradation, as published.
    Published,
    /// Both, in tables of their own.
    Both,
}

impl ProtocolChoice {
    /// Whether statistics of this protocol are computed.
    pub fn shows(self, protocol: Protocol) -> bool {
        match self {
            ProtocolChoice::Both => true,
            ProtocolChoice::Corrected => protocol == Protocol::Corrected,
            ProtocolChoice::Published => protocol == Protocol::Published,
        }
    }
}

impl Default for EvaluateSettings {
    fn default() -> Self {
        EvaluateSettings {
            max_trajectories: 0,
            horizon: 5,
            starts_per_trajectory: 0,
            samples: 1,
            max_new_tokens: 256,
            sampling: Sampling { temperature: 0.0, ..Sampling::default() },
            feedback: None,
            remote: Vec::new(),
            protocol: ProtocolChoice::Both,
            baselines: true,
            reference: None,
            resamples: 10_000,
            confidence: 0.95,
        }
    }
}

/// The sandbox's limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SandboxSettings {
    /// Memory of an instance.
    pub memory_mb: u32,
    /// Time of a test, counted in fuel.
    pub timeout_ms: u64,
    /// Grading threads; 0 for one a core.
    pub threads: usize,
    /// Keep reports in the cache folder for later runs.
    pub keep_reports: bool,
    /// Where to grade as the published grader does, such as `[silent_prompts, empty_at_eof]`.
    pub deviations: BTreeSet<Deviation>,
}

impl Default for SandboxSettings {
    fn default() -> Self {
        SandboxSettings {
            memory_mb: 256,
            timeout_ms: 1000,
            threads: 0,
            keep_reports: false,
            deviations: BTreeSet::new(),
        }
    }
}

/// What a run writes while it goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MonitorSettings {
    /// Write TensorBoard logs.
    pub tensorboard: bool,
    /// Steps between two checkpoints, of which there is one after ten minutes in any case; 0 for the ends of stages only.
    pub checkpoint_every: usize,
    /// Rollouts printed and logged as conversations, each time.
    pub samples: usize,
    /// Steps between two such samples.
    pub samples_every: usize,
    /// Save the rollouts of every DAPO step with tokens, masks, log-probs and advantages: some 30 bytes a token.
    pub rollout_tokens: bool,
}

impl Default for MonitorSettings {
    fn default() -> Self {
        MonitorSettings { tensorboard: true, checkpoint_every: 25, samples: 1, samples_every: 25, rollout_tokens: true }
    }
}

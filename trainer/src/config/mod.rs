//! The typed configuration of a run: every field documented, unknown fields refused, all problems reported at once.
//!
//! A configuration is a YAML file; every section and every field has a default. [`Run::load`] reads it, applies
//! `--set key=value`, and checks ranges; what it gives back can be run. Paths in a file are relative to that file.

mod dapo;
mod data;
mod dialogue;
mod dpo;
mod load;
mod located;
mod lora;
mod model;
mod optimiser;
mod remote;
mod run;
mod sampling;
mod synthetic;
mod validate;

pub use dapo::{AdvantageEstimator, Credit, DapoSettings, KeepBy, KeepSettings, LossAverage, WeightedReward};
pub use data::{DataSettings, FilterSettings, Mismatch, Source, SplitBy, SplitSettings};
pub use dialogue::{DialogueSettings, Feedback, Representation, Template, TokenizerSettings};
pub use dpo::{DpoSettings, PairLoss, PairStrategy};
pub use model::{Dtype, InitArchitecture, InitSettings, ModelSettings};
pub use run::{EvaluateSettings, MonitorSettings, ProtocolChoice, SandboxSettings, SftSettings, StageName};

pub use lora::LoraConfig;
pub(crate) use lora::PROJECTIONS;
pub use optimiser::{OptimiserSettings, Schedule};
pub use remote::RemoteSettings;
pub use sampling::Sampling;
pub use synthetic::SyntheticSettings;

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A run: what is trained, on what, how, and what is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Run {
    /// Name of the run and of its folder; the configuration file's name when absent.
    pub name: String,
    /// Seed of everything that is random.
    pub seed: u64,
    /// Threads of libtorch; 0 for one a core.
    pub threads: usize,
    /// Folder that holds the run folders.
    pub output: PathBuf,
    /// Stages, in order.
    pub stages: Vec<StageName>,
    /// Logs, filters, splits.
    pub data: DataSettings,
    /// How trajectories are told.
    pub dialogue: DialogueSettings,
    /// How turns become tokens.
    pub tokenizer: TokenizerSettings,
    /// The model.
    pub model: ModelSettings,
    /// Tokens of one forward pass: whole trees are packed up to this budget.
    pub pack_tokens: usize,
    /// Supervised fine-tuning.
    pub sft: SftSettings,
    /// Offline preferences.
    pub dpo: DpoSettings,
    /// Online training.
    pub dapo: DapoSettings,
    /// Rollouts beside real students.
    pub evaluate: EvaluateSettings,
    /// Limits of the sandbox.
    pub sandbox: SandboxSettings,
    /// Logs, checkpoints, samples.
    pub monitor: MonitorSettings,
}

impl Default for Run {
    fn default() -> Self {
        Run {
            name: String::new(),
            seed: 7,
            threads: 0,
            output: PathBuf::from("runs"),
            stages: vec![StageName::Sft, StageName::Dpo, StageName::Dapo],
            data: DataSettings::default(),
            dialogue: DialogueSettings::default(),
            tokenizer: TokenizerSettings::default(),
            model: ModelSettings::default(),
            pack_tokens: 4096,
            sft: SftSettings::default(),
            dpo: DpoSettings::default(),
            dapo: DapoSettings::default(),
            evaluate: EvaluateSettings::default(),
            sandbox: SandboxSettings::default(),
            monitor: MonitorSettings::default(),
        }
    }
}

impl Run {
    /// The run's folder.
    pub fn folder(&self) -> PathBuf {
        self.output.join(&self.name)
    }
}

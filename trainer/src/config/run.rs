//! Settings of the model, the stages, of evaluation and of what is written while a run goes on.

use super::{LoraConfig, OptimiserSettings, Sampling};
use novice_rewards::RewardName;
use novice_sandbox::Deviation;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The model that is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelSettings {
    /// A Hugging Face folder. Absent: a model with the shape of `init` and random weights.
    pub path: Option<PathBuf>,
    /// Shape of a model that starts from random weights.
    pub init: InitSettings,
    /// Precision of the weights.
    pub dtype: Dtype,
    /// Train low-rank adapters instead of all weights.
    pub lora: Option<LoraConfig>,
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings { path: None, init: InitSettings::default(), dtype: Dtype::Float32, lora: None }
    }
}

/// Shape of a Qwen3-like model that starts from random weights. The vocabulary is the tokenizer's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InitSettings {
    /// Which decoder: `qwen3`, `qwen2` or `llama`.
    pub architecture: InitArchitecture,
    /// Width of the residual stream.
    pub hidden_size: i64,
    /// Width of the MLP.
    pub intermediate_size: i64,
    /// Number of layers.
    pub layers: i64,
    /// Query heads.
    pub heads: i64,
    /// Key and value heads; divides `heads`.
    pub kv_heads: i64,
    /// Width of a head; even.
    pub head_dim: i64,
}

impl Default for InitSettings {
    fn default() -> Self {
        InitSettings {
            architecture: InitArchitecture::Qwen3,
            hidden_size: 128,
            intermediate_size: 384,
            layers: 4,
            heads: 4,
            kv_heads: 2,
            head_dim: 32,
        }
    }
}

/// Decoders that can start from random weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitArchitecture {
    /// Qwen3: normalised queries and keys, no biases.
    Qwen3,
    /// Qwen2: biases on queries, keys and values.
    Qwen2,
    /// Llama.
    Llama,
}

/// Precisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// 32-bit floats.
    Float32,
    /// 16-bit brain floats; optimiser state and adapters stay in float32.
    Bfloat16,
}

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

/// Offline preference training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DpoSettings {
    /// Passes over the pairs.
    pub epochs: usize,
    /// Pairs a step, rounded up to whole trajectories.
    pub batch_pairs: usize,
    /// How the rejected submission is chosen.
    pub pairs: PairStrategy,
    /// At most this many pairs a trajectory; 0 for all.
    pub max_pairs_per_trajectory: usize,
    /// Strength of the pull towards the reference model.
    pub beta: f64,
    /// Assumed share of preferences that are the wrong way round, in 0..0.5.
    pub label_smoothing: f64,
    /// Weight of the SFT loss on the chosen submission, divided by its tokens; 0 for none.
    pub sft_weight: f64,
    /// Learning rate, schedule, clipping.
    pub optimiser: OptimiserSettings,
    /// Steps between two evaluations on held-out pairs; 0 for the end only.
    pub eval_every: usize,
}

impl Default for DpoSettings {
    fn default() -> Self {
        DpoSettings {
            epochs: 1,
            batch_pairs: 16,
            pairs: PairStrategy::Grade,
            max_pairs_per_trajectory: 0,
            beta: 0.5,
            label_smoothing: 0.0,
            sft_weight: 0.0,
            optimiser: OptimiserSettings { learning_rate: 1e-5, ..OptimiserSettings::default() },
            eval_every: 10,
        }
    }
}

/// How the rejected submission of a pair is chosen; the chosen one is what the student did next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairStrategy {
    /// The submission two steps later.
    Next,
    /// A later submission, at least three steps on, drawn uniformly.
    Random,
    /// The first later submission with another grade.
    Grade,
}

/// Online training on the model's own rollouts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DapoSettings {
    /// Optimisation steps.
    pub steps: usize,
    /// Groups a step: starts, each a point in a real trajectory.
    pub groups: usize,
    /// Rollouts a group.
    pub group_size: usize,
    /// Submissions a rollout at most.
    pub turns: usize,
    /// Longest submission in tokens.
    pub max_new_tokens: usize,
    /// Tokens before that length in which the overlong penalty grows from 0 to 1.
    pub overlong_buffer: usize,
    /// Weight of the overlong penalty.
    pub overlong_weight: f64,
    /// How tokens are drawn.
    pub sampling: Sampling,
    /// Lower clip of the probability ratio: 1 − this.
    pub clip_low: f64,
    /// Upper clip of the probability ratio: 1 + this.
    pub clip_high: f64,
    /// Updates on each batch of rollouts.
    pub updates: usize,
    /// Divide advantages by the group's standard deviation.
    pub scale_advantages: bool,
    /// Draw new groups in place of groups whose rewards are all equal, up to this many rounds a step.
    pub resample_rounds: usize,
    /// Rewards and their weights.
    pub rewards: Vec<WeightedReward>,
    /// Learning rate, schedule, clipping.
    pub optimiser: OptimiserSettings,
}

impl Default for DapoSettings {
    fn default() -> Self {
        DapoSettings {
            steps: 50,
            groups: 4,
            group_size: 8,
            turns: 3,
            max_new_tokens: 256,
            overlong_buffer: 32,
            overlong_weight: 0.5,
            sampling: Sampling::default(),
            clip_low: 0.2,
            clip_high: 0.28,
            updates: 1,
            scale_advantages: true,
            resample_rounds: 2,
            rewards: vec![WeightedReward { name: RewardName::Trajectory, weight: 1.0 }],
            optimiser: OptimiserSettings { learning_rate: 1e-5, ..OptimiserSettings::default() },
        }
    }
}

/// A reward and how much it counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedReward {
    /// Its name.
    pub name: RewardName,
    /// Its weight.
    pub weight: f64,
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
    /// Longest submission in tokens.
    pub max_new_tokens: usize,
    /// How tokens are drawn; temperature 0 is greedy, as published.
    pub sampling: Sampling,
}

impl Default for EvaluateSettings {
    fn default() -> Self {
        EvaluateSettings {
            max_trajectories: 0,
            horizon: 5,
            starts_per_trajectory: 0,
            max_new_tokens: 256,
            sampling: Sampling { temperature: 0.0, ..Sampling::default() },
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
    /// Steps between two checkpoints; 0 for the ends of stages only.
    pub checkpoint_every: usize,
    /// Rollouts printed and logged as conversations, each time.
    pub samples: usize,
    /// Steps between two such samples.
    pub samples_every: usize,
}

impl Default for MonitorSettings {
    fn default() -> Self {
        MonitorSettings { tensorboard: true, checkpoint_every: 25, samples: 1, samples_every: 25 }
    }
}

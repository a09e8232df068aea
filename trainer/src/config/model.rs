//! Settings of the model: where it comes from, its precision, and what of it is trained.

use super::LoraConfig;
use serde::{Deserialize, Serialize};
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
    /// Begin with the adapters of this folder, as `peft` writes it, and train them; in place of `lora`.
    pub adapter: Option<PathBuf>,
    /// Keep only the input of each layer and compute the rest again when its gradient is due: a third more time, and
    /// memory for one layer instead of all. Changes no result.
    pub recompute: bool,
}

impl Default for ModelSettings {
    fn default() -> Self {
        ModelSettings {
            path: None,
            init: InitSettings::default(),
            dtype: Dtype::Float32,
            lora: None,
            adapter: None,
            recompute: false,
        }
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

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Dtype::Float32 => "float32",
            Dtype::Bfloat16 => "bfloat16",
        })
    }
}

//! [`ModelConfig`]: what a decoder looks like, and how it is written as Hugging Face's `config.json`.
//!
//! The rotary settings are written as `rope_theta` + `rope_scaling`, which transformers 4 and 5 both read. Reading is in
//! `read_config.rs`.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// The family of decoder. They differ in the norm of queries and keys and in which projections have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Queries and keys are normalised per head.
    Qwen3,
    /// Query, key and value projections have a bias; also Qwen2.5.
    Qwen2,
    /// Neither; also SmolLM2.
    Llama,
}

impl Architecture {
    pub(super) const ALL: [Architecture; 3] = [Architecture::Qwen3, Architecture::Qwen2, Architecture::Llama];

    /// `model_type` in `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Architecture::Qwen3 => "qwen3",
            Architecture::Qwen2 => "qwen2",
            Architecture::Llama => "llama",
        }
    }

    /// The class named under `architectures` in `config.json`.
    pub fn class(self) -> &'static str {
        match self {
            Architecture::Qwen3 => "Qwen3ForCausalLM",
            Architecture::Qwen2 => "Qwen2ForCausalLM",
            Architecture::Llama => "LlamaForCausalLM",
        }
    }
}

/// How rotary frequencies are stretched beyond the length of pre-training. The formulas are in `rope.rs`.
#[derive(Debug, Clone, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    Default,
    /// Every frequency divided by `factor`.
    Linear {
        /// Ratio of the new length to the old.
        factor: f64,
    },
    /// Frequencies that change when a row grows longer than `max_position_embeddings` ("dynamic NTK"). Up to there it is
    /// [`RopeScaling::Default`]; longer rows are refused, as every token before would have to be read again.
    Dynamic {
        /// Ratio of the new length to the old.
        factor: f64,
    },
    /// Llama 3.1: low frequencies divided by `factor`, high ones kept, the rest interpolated.
    Llama3 {
        /// Ratio of the new length to the old.
        factor: f64,
        /// Wavelengths above `original_max_position_embeddings / low_freq_factor` are divided.
        low_freq_factor: f64,
        /// Wavelengths below `original_max_position_embeddings / high_freq_factor` are kept.
        high_freq_factor: f64,
        /// Length of pre-training, in tokens.
        original_max_position_embeddings: f64,
    },
    /// YaRN (<https://arxiv.org/abs/2309.00071>).
    Yarn {
        /// Ratio of the new length to the old.
        factor: f64,
        /// Length of pre-training, in tokens.
        original_max_position_embeddings: f64,
        /// Multiplies cosines and sines.
        attention_factor: f64,
        /// Dimensions that turn more often than this over the old length are kept.
        beta_fast: f64,
        /// Dimensions that turn less often than this over the old length are divided.
        beta_slow: f64,
        /// Whether the bounds are rounded to whole dimensions.
        truncate: bool,
    },
}

/// A decoder's shape and constants. Names are those of `config.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub architecture: Architecture,
    /// Number of token ids.
    pub vocab_size: i64,
    /// Width of the residual stream.
    pub hidden_size: i64,
    /// Width inside the MLP.
    pub intermediate_size: i64,
    /// Number of layers.
    pub num_hidden_layers: i64,
    /// Number of query heads.
    pub num_attention_heads: i64,
    /// Number of key and value heads; divides the number of query heads.
    pub num_key_value_heads: i64,
    /// Width of a head; even.
    pub head_dim: i64,
    /// Added to the mean square inside every norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How they are stretched.
    pub rope_scaling: RopeScaling,
    /// Whether the LM head is the embedding.
    pub tie_word_embeddings: bool,
    /// Whether query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Whether the output projection of attention has a bias.
    pub o_bias: bool,
    /// Whether the projections of the MLP have a bias.
    pub mlp_bias: bool,
    /// The longest row that the model was made for, in tokens.
    pub max_position_embeddings: i64,
    /// Standard deviation of random weights.
    pub initializer_range: f64,
    /// The token that begins a text.
    pub bos_token_id: Option<u32>,
    /// The tokens that end one.
    pub eos_token_ids: Vec<u32>,
    /// The token for padding. Nothing here pads; it is kept for others.
    pub pad_token_id: Option<u32>,
    /// Fields that mean nothing here, written back as they were.
    pub extra: Map<String, Value>,
}

impl ModelConfig {
    /// Whether the sizes fit each other.
    ///
    /// # Errors
    /// [`Error::Model`] for `path`, naming the fields.
    pub fn check(&self, path: &Path) -> Result<()> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        if let Some((name, value)) = sizes.into_iter().find(|(_, v)| !(1..=1 << 31).contains(v)) {
            return Err(Error::model(path, format!("{name} is {value}; expected a positive number")));
        }
        if self.num_attention_heads % self.num_key_value_heads != 0 {
            let (heads, kv) = (self.num_attention_heads, self.num_key_value_heads);
            let message = format!("num_attention_heads is {heads}, which num_key_value_heads ({kv}) does not divide");
            return Err(Error::model(path, message));
        }
        if self.head_dim % 2 != 0 {
            let message = format!("head_dim is {}; rotary embeddings need an even number", self.head_dim);
            return Err(Error::model(path, message));
        }
        Ok(())
    }

    /// The value of `config.json` for weights of the given kind (`"float32"`, `"bfloat16"`).
    pub fn to_json(&self, dtype: &str) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.to_string(), value);
        put("architectures", json!([self.architecture.class()]));
        put("model_type", json!(self.architecture.model_type()));
        put("vocab_size", json!(self.vocab_size));
        put("hidden_size", json!(self.hidden_size));
        put("intermediate_size", json!(self.intermediate_size));
        put("num_hidden_layers", json!(self.num_hidden_layers));
        put("num_attention_heads", json!(self.num_attention_heads));
        put("num_key_value_heads", json!(self.num_key_value_heads));
        put("head_dim", json!(self.head_dim));
        put("hidden_act", json!("silu"));
        put("rms_norm_eps", json!(self.rms_norm_eps));
        put("rope_theta", json!(self.rope_theta));
        put("rope_scaling", self.rope_scaling.to_json());
        put("tie_word_embeddings", json!(self.tie_word_embeddings));
        match self.architecture {
            Architecture::Qwen3 => put("attention_bias", json!(self.qkv_bias)),
            Architecture::Qwen2 => None,
            Architecture::Llama => {
                put("mlp_bias", json!(self.mlp_bias));
                put("attention_bias", json!(self.qkv_bias))
            }
        };
        put("max_position_embeddings", json!(self.max_position_embeddings));
        put("initializer_range", json!(self.initializer_range));
        put("bos_token_id", json!(self.bos_token_id));
        put("eos_token_id", self.eos_json());
        put("pad_token_id", json!(self.pad_token_id));
        put("dtype", json!(dtype));
        // The name that transformers 4 reads.
        put("torch_dtype", json!(dtype));
        for (key, value) in &self.extra {
            put(key, value.clone());
        }
        Value::Object(map)
    }

    /// The value of `generation_config.json`.
    pub fn generation_json(&self) -> Value {
        json!({"bos_token_id": self.bos_token_id, "eos_token_id": self.eos_json(), "pad_token_id": self.pad_token_id})
    }

    fn eos_json(&self) -> Value {
        match self.eos_token_ids.as_slice() {
            [] => Value::Null,
            [one] => json!(one),
            many => json!(many),
        }
    }
}

impl RopeScaling {
    fn to_json(&self) -> Value {
        match self {
            RopeScaling::Default => Value::Null,
            RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            RopeScaling::Dynamic { factor } => json!({"rope_type": "dynamic", "factor": factor}),
            RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings: original,
            } => json!({
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor, "original_max_position_embeddings": *original as i64,
            }),
            RopeScaling::Yarn {
                factor,
                original_max_position_embeddings: original,
                attention_factor,
                beta_fast,
                beta_slow,
                truncate,
            } => json!({
                "rope_type": "yarn", "factor": factor, "original_max_position_embeddings": *original as i64,
                "attention_factor": attention_factor, "beta_fast": beta_fast, "beta_slow": beta_slow,
                "truncate": truncate,
            }),
        }
    }
}

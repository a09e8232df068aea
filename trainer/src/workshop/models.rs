//! How a model is got and kept: the one that a run begins with, folders of stages.

use super::Workshop;
use crate::config::{Dtype, InitArchitecture, ModelSettings};
use crate::error::{Error, Result};
use crate::model::{Model, ModelConfig};
use crate::tokens::Renderer;
use serde_json::json;
use std::path::{Path, PathBuf};
use tch::{Device, Kind};

impl Workshop {
    /// The model that the run starts from.
    ///
    /// # Errors
    /// What is wrong with the model's folder, or with it and the tokenizer together.
    pub fn base_model(&self) -> Result<Model> {
        let settings = &self.run.model;
        let mut model = match &settings.path {
            Some(path) => self.load_model(path)?,
            None => {
                let config = init_config(settings, &self.renderer, self.run.dialogue.max_tokens)?;
                Model::init(config, self.run.seed, kind(settings.dtype), device())?
            }
        };
        if let Some(lora) = &settings.lora {
            model.add_lora(lora, self.run.seed)?;
        }
        if let Some(folder) = &settings.adapter {
            model.load_adapters(folder)?;
        }
        Ok(model)
    }

    /// A model folder, checked against the tokenizer.
    ///
    /// # Errors
    /// As [`Model::load`]; when the tokenizer has more entries than the model.
    pub fn load_model(&self, path: &Path) -> Result<Model> {
        let model = Model::load(path, kind(self.run.model.dtype), device())?;
        let (have, need) = (model.config().vocab_size, self.renderer.tokenizer().vocab_size() as i64);
        if have < need {
            let message =
                format!("the model knows {have} tokens, the tokenizer has {need}: they do not belong together");
            return Err(Error::model(path, message));
        }
        Ok(model)
    }

    /// Saves weights, configuration and tokenizer as a folder that `transformers` loads. Adapters are folded in, and are
    /// also in a folder `adapter` inside, which `peft` loads onto the model that the run began with.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save_model(&self, model: &Model, dir: &Path) -> Result<()> {
        model.save(dir)?;
        if model.lora().is_some() {
            let base = self.run.model.path.as_deref().map(Path::to_string_lossy);
            model.save_adapters(&dir.join("adapter"), base.as_deref())?;
        }
        self.save_tokenizer(dir)
    }

    /// Saves the tokenizer alone.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save_tokenizer(&self, dir: &Path) -> Result<()> {
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        self.renderer.tokenizer().save(dir, self.renderer.template())
    }
}

/// Precision as libtorch names it.
pub fn kind(dtype: Dtype) -> Kind {
    match dtype {
        Dtype::Float32 => Kind::Float,
        Dtype::Bfloat16 => Kind::BFloat16,
    }
}

/// The first CUDA device where libtorch has one, else the processor.
pub fn device() -> Device {
    Device::cuda_if_available()
}

fn init_config(settings: &ModelSettings, renderer: &Renderer, max_tokens: usize) -> Result<ModelConfig> {
    let shape = &settings.init;
    let model_type = match shape.architecture {
        InitArchitecture::Qwen3 => "qwen3",
        InitArchitecture::Qwen2 => "qwen2",
        InitArchitecture::Llama => "llama",
    };
    let json = json!({
        "model_type": model_type,
        "vocab_size": renderer.tokenizer().vocab_size(),
        "hidden_size": shape.hidden_size,
        "intermediate_size": shape.intermediate_size,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": max_tokens,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10000.0,
        "tie_word_embeddings": true,
        "hidden_act": "silu",
        "eos_token_id": renderer.stop(),
    });
    ModelConfig::from_json(&json, Path::new("model.init"))
}

/// Where the model of a stage lies in a run's folder; `base` is the one that the run started from.
pub fn model_folder(run_folder: &Path, stage: &str) -> PathBuf {
    run_folder.join("models").join(stage)
}

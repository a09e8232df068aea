//! Tiny models for tests.

use serde_json::{Value, json};
use std::path::Path;

use super::ModelConfig;

/// A config of a few thousand weights; `extra` overrides fields.
pub(crate) fn tiny(model_type: &str, extra: Value) -> ModelConfig {
    // Tests run side by side; more threads inside each only wait for one another.
    tch::set_num_threads(1);
    let mut value = json!({
        "model_type": model_type, "vocab_size": 96, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rope_theta": 1000.0,
        "initializer_range": 0.3, "max_position_embeddings": 256, "eos_token_id": 2,
    });
    for (key, field) in extra.as_object().unwrap() {
        value[key] = field.clone();
    }
    ModelConfig::from_json(&value, Path::new("config.json")).unwrap()
}

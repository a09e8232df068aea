//! The tensors of a decoder: their Hugging Face names, shapes and random beginnings. One list, from which models are
//! built, loaded, checked and saved.

use super::config::{Architecture, ModelConfig};

/// The embedding, and the LM head when they are tied.
pub(super) const EMBEDDING: &str = "model.embed_tokens.weight";
/// The norm behind the last layer.
pub(super) const FINAL_NORM: &str = "model.norm.weight";
/// The LM head when it is a tensor of its own.
pub(super) const HEAD: &str = "lm_head.weight";
/// The linear layers of a block, by the module that holds them.
pub(super) const PROJECTIONS: [(&str, &str); 7] = [
    ("self_attn", "q_proj"),
    ("self_attn", "k_proj"),
    ("self_attn", "v_proj"),
    ("self_attn", "o_proj"),
    ("mlp", "gate_proj"),
    ("mlp", "up_proj"),
    ("mlp", "down_proj"),
];

/// How a tensor of a new model begins.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Beginning {
    /// Normal with this standard deviation.
    Normal(f64),
    Ones,
    Zeros,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) shape: Vec<i64>,
    pub(super) beginning: Beginning,
}

/// `[out, in]` of a projection and whether it has a bias.
pub(super) fn projection(config: &ModelConfig, name: &str) -> (i64, i64, bool) {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (q, kv) = (config.num_attention_heads * config.head_dim, config.num_key_value_heads * config.head_dim);
    match name {
        "q_proj" => (q, hidden, config.qkv_bias),
        "k_proj" | "v_proj" => (kv, hidden, config.qkv_bias),
        "o_proj" => (hidden, q, config.o_bias),
        "down_proj" => (hidden, inner, config.mlp_bias),
        _ => (inner, hidden, config.mlp_bias),
    }
}

/// Every tensor of a model, in the order of the layers.
///
/// Projections that write into the residual stream (`o_proj`, `down_proj`) begin smaller by `√(2 · layers)`, as in
/// GPT-2: each layer adds twice to the stream.
pub(super) fn specs(config: &ModelConfig) -> Vec<Spec> {
    let mut specs = Vec::new();
    let mut add = |name: String, shape: Vec<i64>, beginning| specs.push(Spec { name, shape, beginning });
    let std = config.initializer_range;
    let residual = std / ((2 * config.num_hidden_layers) as f64).sqrt();
    let (vocab, hidden) = (config.vocab_size, config.hidden_size);
    add(EMBEDDING.into(), vec![vocab, hidden], Beginning::Normal(std));
    for layer in 0..config.num_hidden_layers {
        let at = |rest: &str| format!("model.layers.{layer}.{rest}");
        add(at("input_layernorm.weight"), vec![hidden], Beginning::Ones);
        for (module, name) in PROJECTIONS {
            let (rows, columns, bias) = projection(config, name);
            let std = if matches!(name, "o_proj" | "down_proj") { residual } else { std };
            add(at(&format!("{module}.{name}.weight")), vec![rows, columns], Beginning::Normal(std));
            if bias {
                add(at(&format!("{module}.{name}.bias")), vec![rows], Beginning::Zeros);
            }
        }
        if config.architecture == Architecture::Qwen3 {
            add(at("self_attn.q_norm.weight"), vec![config.head_dim], Beginning::Ones);
            add(at("self_attn.k_norm.weight"), vec![config.head_dim], Beginning::Ones);
        }
        add(at("post_attention_layernorm.weight"), vec![hidden], Beginning::Ones);
    }
    add(FINAL_NORM.into(), vec![hidden], Beginning::Ones);
    if !config.tie_word_embeddings {
        add(HEAD.into(), vec![vocab, hidden], Beginning::Normal(std));
    }
    specs
}

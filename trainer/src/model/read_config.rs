//! Reads Hugging Face's `config.json` into a [`ModelConfig`].
//!
//! Both layouts of the rotary settings are read: `rope_theta` + `rope_scaling` (transformers 4) and `rope_parameters`
//! (transformers 5). Defaults of absent fields are those of the configuration classes in transformers 5. Fields that
//! change the arithmetic in a way that is not implemented here (sliding windows, other activations, quantised weights,
//! other rotary kinds) are refused; every other unknown field is kept, and written back.

use std::path::Path;

use serde_json::{Map, Value};

use super::config::{Architecture, ModelConfig, RopeScaling};
use crate::error::{Error, Result};

/// Fields that [`ModelConfig::to_json`] writes or that must not be carried over.
const OWN: [&str; 28] = [
    "architectures",
    "model_type",
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "head_dim",
    "rms_norm_eps",
    "rope_theta",
    "rope_scaling",
    "rope_parameters",
    "partial_rotary_factor",
    "tie_word_embeddings",
    "attention_bias",
    "mlp_bias",
    "max_position_embeddings",
    "initializer_range",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "hidden_act",
    "dtype",
    "torch_dtype",
    "quantization_config",
    "use_sliding_window",
    "transformers_version",
];

impl ModelConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// When the file cannot be read, is not JSON, or describes something that is not implemented; see
    /// [`ModelConfig::from_json`].
    pub fn read(path: &Path) -> Result<ModelConfig> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|e| Error::model(path, format!("not valid JSON: {e}; download or export the file again")))?;
        ModelConfig::from_json(&value, path)
    }

    /// Reads the value of a `config.json`; `path` names it in errors.
    ///
    /// # Errors
    /// [`Error::Model`], naming the field, what was found and what was expected.
    pub fn from_json(value: &Value, path: &Path) -> Result<ModelConfig> {
        let map = value.as_object().ok_or_else(|| Error::model(path, "expected a JSON object with a model_type"))?;
        let fields = Fields { map, path, prefix: "" };
        let kind = fields.text("model_type")?.unwrap_or_default();
        let Some(architecture) = Architecture::ALL.into_iter().find(|a| a.model_type() == kind) else {
            let message = format!("model_type is {kind:?}; supported: qwen3, qwen2 (and 2.5), llama (and SmolLM2)");
            return Err(Error::model(path, message));
        };
        refuse(&fields)?;
        let hidden_size = fields.required("hidden_size")?;
        let num_attention_heads = fields.required("num_attention_heads")?;
        let head_dim = match (fields.size("head_dim")?, architecture) {
            (Some(d), _) => d,
            // The default of the class; the other two derive it.
            (None, Architecture::Qwen3) => 128,
            (None, _) => hidden_size / num_attention_heads,
        };
        let default_kv = if architecture == Architecture::Llama { num_attention_heads } else { 32 };
        let attention_bias = fields.flag("attention_bias")?.unwrap_or(false);
        let max_position_embeddings = fields.size("max_position_embeddings")?.unwrap_or(match architecture {
            Architecture::Llama => 2048,
            _ => 32768,
        });
        let (rope_theta, rope_scaling) = rope(&fields, max_position_embeddings)?;
        let llama = architecture == Architecture::Llama;
        let config = ModelConfig {
            architecture,
            vocab_size: fields.required("vocab_size")?,
            hidden_size,
            intermediate_size: fields.required("intermediate_size")?,
            num_hidden_layers: fields.required("num_hidden_layers")?,
            num_attention_heads,
            num_key_value_heads: fields.size("num_key_value_heads")?.unwrap_or(default_kv),
            head_dim,
            rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta,
            rope_scaling,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?.unwrap_or(false),
            qkv_bias: architecture == Architecture::Qwen2 || attention_bias,
            o_bias: architecture != Architecture::Qwen2 && attention_bias,
            mlp_bias: llama && fields.flag("mlp_bias")?.unwrap_or(false),
            max_position_embeddings,
            initializer_range: fields.number("initializer_range")?.unwrap_or(0.02),
            bos_token_id: fields.tokens("bos_token_id")?.first().copied().or(llama.then_some(1)),
            eos_token_ids: match fields.tokens("eos_token_id")? {
                ids if ids.is_empty() && llama && !map.contains_key("eos_token_id") => vec![2],
                ids => ids,
            },
            pad_token_id: fields.tokens("pad_token_id")?.first().copied(),
            extra: map
                .iter()
                .filter(|(k, _)| !OWN.contains(&k.as_str()))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect(),
        };
        config.check(path)?;
        Ok(config)
    }
}

/// Refuses what would be computed wrongly.
fn refuse(fields: &Fields) -> Result<()> {
    let act = fields.text("hidden_act")?.unwrap_or_else(|| "silu".into());
    if act != "silu" && act != "swish" {
        return Err(fields.wrong("hidden_act", "\"silu\", the only activation that is implemented"));
    }
    let windowed = fields.flag("use_sliding_window")?.unwrap_or(false)
        && fields.size("sliding_window")?.is_some()
        && fields.size("max_window_layers")?.unwrap_or(28) < fields.required("num_hidden_layers")?;
    let layered = match fields.map.get("layer_types") {
        Some(Value::Array(types)) => types.iter().any(|t| t != "full_attention"),
        _ => windowed,
    };
    if layered {
        let message = "has sliding-window attention layers, which are not implemented; set use_sliding_window to false and remove layer_types if rows are shorter than the window";
        return Err(Error::model(fields.path, message));
    }
    if fields.map.get("quantization_config").is_some_and(|v| !v.is_null()) {
        let message = "has quantised weights (quantization_config); use the model's bfloat16 or float32 version";
        return Err(Error::model(fields.path, message));
    }
    Ok(())
}

/// The rotary base and scaling, from either layout.
fn rope(fields: &Fields, max_position_embeddings: i64) -> Result<(f64, RopeScaling)> {
    let empty = Map::new();
    let pick = |key| fields.map.get(key).and_then(Value::as_object).filter(|m| !m.is_empty()).map(|m| (key, m));
    let (prefix, map) = pick("rope_parameters").or_else(|| pick("rope_scaling")).unwrap_or(("rope_scaling", &empty));
    let scaling = Fields { map, path: fields.path, prefix };
    let theta = match scaling.number("rope_theta")? {
        Some(theta) => theta,
        None => fields.number("rope_theta")?.unwrap_or(10_000.0),
    };
    for source in [&scaling, fields] {
        if source.number("partial_rotary_factor")?.is_some_and(|f| f != 1.0) {
            return Err(source.wrong("partial_rotary_factor", "1.0; partial rotation is not implemented"));
        }
    }
    let kind_key = if scaling.get("rope_type").is_some() { "rope_type" } else { "type" };
    let kind = scaling.text(kind_key)?;
    let factor = || scaling.number("factor")?.ok_or_else(|| scaling.wrong("factor", "a number"));
    let original = || match fields.number("original_max_position_embeddings")? {
        Some(n) => Ok::<f64, Error>(n),
        None => Ok(scaling.number("original_max_position_embeddings")?.unwrap_or(max_position_embeddings as f64)),
    };
    let rope_scaling = match kind.as_deref().unwrap_or("default") {
        "default" => RopeScaling::Default,
        "linear" => RopeScaling::Linear { factor: factor()? },
        "dynamic" => RopeScaling::Dynamic { factor: factor()? },
        "llama3" => {
            let need = |key| scaling.number(key)?.ok_or_else(|| scaling.wrong(key, "a number"));
            RopeScaling::Llama3 {
                factor: factor()?,
                low_freq_factor: need("low_freq_factor")?,
                high_freq_factor: need("high_freq_factor")?,
                original_max_position_embeddings: original()?,
            }
        }
        "yarn" => {
            let original = original()?;
            let factor = scaling.number("factor")?.unwrap_or(max_position_embeddings as f64 / original);
            let mscale = |m: f64| if factor <= 1.0 { 1.0 } else { 0.1 * m * factor.ln() + 1.0 };
            let given = scaling.number("attention_factor")?;
            let nonzero = |key| Ok::<_, Error>(scaling.number(key)?.filter(|&m| m != 0.0));
            let attention_factor = match (given, nonzero("mscale")?, nonzero("mscale_all_dim")?) {
                (Some(given), _, _) => given,
                (None, Some(m), Some(all)) => mscale(m) / mscale(all),
                _ => mscale(1.0),
            };
            RopeScaling::Yarn {
                factor,
                original_max_position_embeddings: original,
                attention_factor,
                beta_fast: nonzero("beta_fast")?.unwrap_or(32.0),
                beta_slow: nonzero("beta_slow")?.unwrap_or(1.0),
                truncate: scaling.flag("truncate")?.unwrap_or(true),
            }
        }
        _ => return Err(scaling.wrong(kind_key, "default, linear, dynamic, llama3 or yarn")),
    };
    Ok((theta, rope_scaling))
}

/// Typed access to a JSON object, with errors that name file and field. `null` counts as absent.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    path: &'a Path,
    prefix: &'a str,
}

impl Fields<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn wrong(&self, key: &str, expected: &str) -> Error {
        let dot = if self.prefix.is_empty() { "" } else { "." };
        let found = match self.get(key) {
            Some(value) => format!("is {value}"),
            None => "is missing".to_string(),
        };
        Error::model(self.path, format!("{}{dot}{key} {found}; expected {expected}", self.prefix))
    }

    fn typed<T>(&self, key: &str, expected: &str, read: impl FnOnce(&Value) -> Option<T>) -> Result<Option<T>> {
        self.get(key).map(|v| read(v).ok_or_else(|| self.wrong(key, expected))).transpose()
    }

    fn text(&self, key: &str) -> Result<Option<String>> {
        self.typed(key, "a string", |v| v.as_str().map(str::to_string))
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "true or false", Value::as_bool)
    }

    fn number(&self, key: &str) -> Result<Option<f64>> {
        self.typed(key, "a number", Value::as_f64)
    }

    fn size(&self, key: &str) -> Result<Option<i64>> {
        self.typed(key, "a positive whole number", |v| v.as_i64().filter(|&n| n > 0))
    }

    fn required(&self, key: &str) -> Result<i64> {
        self.size(key)?.ok_or_else(|| self.wrong(key, "a positive whole number"))
    }

    /// One token id or a list of them.
    fn tokens(&self, key: &str) -> Result<Vec<u32>> {
        let one = |v: &Value| v.as_u64().and_then(|n| u32::try_from(n).ok());
        let ids = self.typed(key, "a token id or a list of them", |v| match v {
            Value::Array(ids) => ids.iter().map(one).collect(),
            v => one(v).map(|id| vec![id]),
        })?;
        Ok(ids.unwrap_or_default())
    }
}

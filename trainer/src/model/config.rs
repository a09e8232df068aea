//! [`ModelConfig`]: what a decoder looks like, read from and written to Hugging Face's `config.json`.
//!
//! Both layouts of the rotary settings are read: `rope_theta` + `rope_scaling` (transformers 4) and `rope_parameters`
//! (transformers 5). The first is written, which both versions read. Defaults of absent fields are those of the
//! configuration classes in transformers 5. Fields that change the arithmetic in a way that is not implemented here
//! (sliding windows, other activations, quantised weights, other rotary kinds) are refused; every other unknown field
//! is kept and written back.

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
    const ALL: [Architecture; 3] = [Architecture::Qwen3, Architecture::Qwen2, Architecture::Llama];

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
        _ => return Err(scaling.wrong(kind_key, "default, linear, llama3 or yarn")),
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

//! Adapters as PEFT's folders: `adapter_config.json` and `adapter_model.safetensors`, read and written, so that the
//! `peft` library loads ours and we load its.
//!
//! A tensor is called `base_model.model.` + the layer's name + `.lora_A.weight`, `.lora_B.weight` or, for DoRA,
//! `.lora_magnitude_vector`. Which layers have adapters is read off the tensors, so every way in which
//! `target_modules` and `layers_to_transform` can name them is read. Kinds: plain LoRA, rank-stabilised, DoRA. Everything
//! in `adapter_config.json` that would change the arithmetic and is not implemented is refused by name: biases, other
//! initialisations that rewrite the base, ranks by layer, saved modules. Dropout is a matter of training and is read as
//! none. Format: `peft/tuners/lora/config.py` and `peft/utils/save_and_load.py` of PEFT 0.21.

use std::collections::BTreeSet;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};
use tch::{Kind, Tensor};

use super::decoder::Model;
use super::lora::Adapter;
use super::names::{self, Beginning, Spec};
use super::save::{Entry, replace, write_json, write_tensors};
use super::weights::Weights;
use crate::config::LoraConfig;
use crate::error::{Error, Result};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";
/// What PEFT puts before the names of the wrapped model.
const PREFIX: &str = "base_model.model.";

/// Fields that say nothing about the arithmetic, or are read by name.
const HARMLESS: [&str; 18] = [
    "auto_mapping",
    "base_model_name_or_path",
    "ensure_weight_tying",
    "exclude_modules",
    "inference_mode",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "lora_dropout",
    "megatron_core",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "revision",
    "target_modules",
    "task_type",
    "runtime_config",
];

impl Model {
    /// Adds the adapters of a PEFT folder, trainable, on the frozen base.
    ///
    /// # Errors
    /// When there are adapters already; when a file is missing or broken, asks for something that is not implemented, or
    /// belongs to another model. Each names the file and the field or tensor.
    pub fn load_adapters(&mut self, dir: &Path) -> Result<()> {
        if self.lora.is_some() {
            return Err(Error::Usage("the model has adapters already; merge them before adding others".into()));
        }
        let path = dir.join(CONFIG);
        if !path.is_file() {
            let message = format!("has no {CONFIG}; give the folder of an adapter as peft's save_pretrained writes it");
            return Err(Error::model(dir, message));
        }
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let value = serde_json::from_str(&text)
            .map_err(|e| Error::model(&path, format!("not valid JSON: {e}; save the adapter again")))?;
        let mut lora = read_config(&value, &path)?;
        let path = dir.join(WEIGHTS);
        let weights = Weights::open_file(&path)?;
        let mut left = weights.shapes();
        let (device, scale, rank) = (self.device, lora.scale(), lora.rank as i64);
        let mut targets = BTreeSet::new();
        let mut adapters = Vec::new();
        for linear in self.linears() {
            let shape = linear.weight.size();
            let (out, inner) = (shape.first().copied().unwrap_or(0), shape.get(1).copied().unwrap_or(0));
            let mut take = |part: &str, want: &[i64]| -> Result<Option<Tensor>> {
                let name = format!("{PREFIX}{}.{part}", linear.name);
                let Some(found) = left.remove(&name) else { return Ok(None) };
                if found != want {
                    let message =
                        format!("tensor {name:?} has shape {found:?}; this model and r = {rank} make it {want:?}");
                    return Err(Error::model(&path, message));
                }
                let spec = Spec { name, shape: want.to_vec(), beginning: Beginning::Zeros };
                weights.read(&spec, Kind::Float, device).map(Some)
            };
            let a = take("lora_A.weight", &[rank, inner])?;
            let b = take("lora_B.weight", &[out, rank])?;
            let magnitude = take("lora_magnitude_vector", &[out])?;
            adapters.push(match (a, b, magnitude) {
                (None, None, None) => None,
                (Some(a), Some(b), magnitude) if magnitude.is_some() == lora.dora => {
                    targets.insert(short(&linear.name).to_string());
                    Some(Adapter::of(a, b, magnitude, scale)?)
                }
                _ => {
                    let message = format!("the adapter of {} is incomplete; save it again", linear.name);
                    return Err(Error::model(&path, message));
                }
            });
        }
        if let Some((name, _)) = left.first_key_value() {
            let message = format!(
                "tensor {name:?} and {} more are not adapters of this model's projections; it is of another model, or adapts modules other than {}",
                left.len() - 1,
                crate::config::PROJECTIONS.join(", ")
            );
            return Err(Error::model(&path, message));
        }
        if targets.is_empty() {
            return Err(Error::model(&path, "holds no adapter; save it again"));
        }
        let order = names::PROJECTIONS.iter().map(|(_, name)| name.to_string());
        lora.targets = order.filter(|name| targets.contains(name)).collect();
        lora.check()?;
        self.freeze()?;
        for (linear, adapter) in self.linears_mut().zip(adapters) {
            linear.adapter = adapter;
        }
        self.lora = Some(lora);
        Ok(())
    }

    /// Writes the adapters as a folder that `peft` loads; `base` is the model that they belong to, for the reader.
    /// `adapter_config.json` comes last, so a new folder that has one is complete.
    ///
    /// # Errors
    /// When there are none, or the folder cannot be written.
    pub fn save_adapters(&self, dir: &Path, base: Option<&str>) -> Result<()> {
        let Some(lora) = &self.lora else {
            return Err(Error::Usage("the model has no adapters to save".into()));
        };
        std::fs::create_dir_all(dir).map_err(Error::io("create", dir))?;
        let entries = self.adapters().into_iter().map(|(name, tensor)| Entry {
            name: format!("{PREFIX}{name}"),
            shape: tensor.size(),
            tensor: Box::new(move || Ok(tensor.shallow_clone())),
        });
        let entries = entries.collect();
        replace(&dir.join(WEIGHTS), |file| write_tensors(file, entries, Dtype::F32))?;
        write_json(&dir.join(CONFIG), &self.adapter_json(lora, base))
    }

    fn adapter_json(&self, lora: &LoraConfig, base: Option<&str>) -> Value {
        let named = |l: &&super::linear::Linear| lora.targets.iter().any(|t| t == short(&l.name));
        // Short names where they say it all, else every layer by its whole name.
        let everywhere = self.linears().filter(named).all(|l| l.adapter.is_some());
        let targets: Vec<String> = match everywhere {
            true => lora.targets.clone(),
            false => self.linears().filter(|l| l.adapter.is_some()).map(|l| l.name.clone()).collect(),
        };
        json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": lora.rank,
            "lora_alpha": lora.alpha,
            "lora_dropout": lora.dropout,
            "use_rslora": lora.rank_stabilised,
            "use_dora": lora.dora,
            "target_modules": targets,
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "init_lora_weights": true,
            "modules_to_save": null,
        })
    }
}

/// `q_proj` of `model.layers.0.self_attn.q_proj`.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The settings, but for the targets, which are read off the tensors.
fn read_config(value: &Value, path: &Path) -> Result<LoraConfig> {
    let wrong =
        |key: &str, found: &Value, expected: &str| Error::model(path, format!("{key} is {found}; expected {expected}"));
    let map = value.as_object().ok_or_else(|| Error::model(path, "expected a JSON object with a peft_type"))?;
    let get = |key: &str| map.get(key).unwrap_or(&Value::Null);
    if get("peft_type") != "LORA" {
        return Err(wrong("peft_type", get("peft_type"), "\"LORA\", the only kind of adapter that is implemented"));
    }
    refuse(map, path)?;
    let flag = |key: &str| match get(key) {
        Value::Null => Ok(false),
        Value::Bool(b) => Ok(*b),
        other => Err(wrong(key, other, "true or false")),
    };
    let rank = match get("r") {
        Value::Null => Some(8),
        other => other.as_u64().filter(|r| (1..=1 << 20).contains(r)),
    };
    let alpha = match get("lora_alpha") {
        Value::Null => Some(8.0),
        other => other.as_f64(),
    };
    Ok(LoraConfig {
        rank: rank.ok_or_else(|| wrong("r", get("r"), "a positive whole number"))? as usize,
        alpha: alpha.ok_or_else(|| wrong("lora_alpha", get("lora_alpha"), "a number"))?,
        rank_stabilised: flag("use_rslora")?,
        dora: flag("use_dora")?,
        ..LoraConfig::default()
    })
}

/// Refuses what would be computed wrongly: every field that is set and not known to be harmless.
fn refuse(map: &Map<String, Value>, path: &Path) -> Result<()> {
    for (key, value) in map {
        let nothing = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            _ => false,
        };
        let fine = match key.as_str() {
            "use_rslora" | "use_dora" => true,
            "bias" => value == "none",
            // These draw the adapter at random; the others change the base weights too.
            "init_lora_weights" => nothing || *value == true || value == "gaussian" || value == "orthogonal",
            key => nothing || HARMLESS.contains(&key),
        };
        if !fine {
            let message =
                format!("{key} is {value}, which is not implemented; merge the adapter into its model with peft");
            return Err(Error::model(path, message));
        }
    }
    Ok(())
}

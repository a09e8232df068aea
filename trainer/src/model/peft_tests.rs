//! Adapter folders: read back as they were, and what a folder that cannot be used is told. That `peft` reads and writes the
//! same is checked by `tests/peers/parity`.

use std::path::Path;

use serde_json::{Value, json};
use tch::{Device, Kind, Tensor};

use super::testing::tiny;
use super::tests::{apart, logits};
use super::*;
use crate::config::LoraConfig;

fn base() -> Model {
    Model::init(tiny("qwen2", json!({})), 3, Kind::Float, Device::Cpu).unwrap()
}

/// The base with adapters that change something.
fn adapted(lora: &LoraConfig) -> Model {
    let mut model = base();
    model.add_lora(lora, 5).unwrap();
    for p in model.trainable() {
        let wave = (Tensor::arange(p.tensor.numel() as i64, (Kind::Float, Device::Cpu)) * 0.7).sin() * 0.1;
        let wave = wave.view(p.tensor.size().as_slice());
        model.set_trainable(&p.name, &(p.tensor.detach() + wave)).unwrap();
    }
    model
}

fn kinds() -> Vec<LoraConfig> {
    let default = LoraConfig { rank: 3, alpha: 6.0, ..LoraConfig::default() };
    let some = vec!["q_proj".to_string(), "down_proj".to_string()];
    vec![
        default.clone(),
        LoraConfig { rank_stabilised: true, targets: some.clone(), ..default.clone() },
        LoraConfig { dora: true, targets: some, ..default.clone() },
        LoraConfig { dora: true, rank_stabilised: true, ..default },
    ]
}

const TOKENS: [i64; 5] = [1, 5, 9, 90, 3];

#[test]
fn saved_adapters_are_the_same_adapters() {
    for lora in kinds() {
        let model = adapted(&lora);
        let dir = tempfile::tempdir().unwrap();
        model.save_adapters(dir.path(), Some("Qwen3-0.6B")).unwrap();
        let mut again = base();
        let plain = logits(&again, &TOKENS);
        again.load_adapters(dir.path()).unwrap();
        assert_eq!(again.lora(), Some(&lora));
        assert_eq!(apart(&logits(&model, &TOKENS), &logits(&again, &TOKENS)), 0.0);
        assert!(apart(&plain, &logits(&again, &TOKENS)) > 1e-2);
        let names = |m: &Model| m.trainable().into_iter().map(|p| p.name).collect::<Vec<_>>();
        assert_eq!(names(&again), names(&model));
        assert!(names(&again).iter().all(|n| n.contains("lora_")));
        assert!(again.load_adapters(dir.path()).is_err(), "adapters on adapters");
        // Folded in, they compute the same.
        let want = logits(&again, &TOKENS);
        again.merge_lora().unwrap();
        assert!(apart(&want, &logits(&again, &TOKENS)) < 1e-4);
    }
}

#[test]
fn a_new_dora_adapter_changes_nothing() {
    let mut model = base();
    let before = logits(&model, &TOKENS);
    model.add_lora(&LoraConfig { dora: true, ..LoraConfig::default() }, 1).unwrap();
    assert!(apart(&before, &logits(&model, &TOKENS)) < 1e-5);
    assert_eq!(model.trainable().iter().filter(|p| p.name.ends_with("lora_magnitude_vector")).count(), 2 * 7);
    assert!(model.trainable().iter().all(|p| p.decay != p.name.ends_with("magnitude_vector")));
}

/// Rewrites the adapter's weights, keeping those that `keep` names under the names that it gives.
fn rewrite(dir: &Path, keep: impl Fn(&str) -> Option<String>) {
    let path = dir.join("adapter_model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let all = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let kept: Vec<_> = all.tensors().into_iter().filter_map(|(name, t)| Some((keep(&name)?, t))).collect();
    std::fs::write(&path, safetensors::serialize(kept, None).unwrap()).unwrap();
}

#[test]
fn adapters_of_some_layers_are_read_and_named_in_full() {
    let dir = tempfile::tempdir().unwrap();
    adapted(&kinds()[1]).save_adapters(dir.path(), None).unwrap();
    rewrite(dir.path(), |name| name.contains("layers.1.").then(|| name.to_string()));
    let mut model = base();
    model.load_adapters(dir.path()).unwrap();
    assert_eq!(model.trainable().len(), 4);
    model.save_adapters(dir.path(), None).unwrap();
    let text = std::fs::read_to_string(dir.path().join("adapter_config.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["target_modules"], json!(["model.layers.1.self_attn.q_proj", "model.layers.1.mlp.down_proj"]));
}

/// What loading says of a folder whose configuration has one field changed.
fn with(key: &str, value: Value) -> String {
    refusal(|dir| {
        let path = dir.join("adapter_config.json");
        let mut config: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        config[key] = value.clone();
        std::fs::write(path, config.to_string()).unwrap();
    })
}

fn refusal(damage: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    adapted(&kinds()[1]).save_adapters(dir.path(), None).unwrap();
    damage(dir.path());
    let mut model = base();
    let error = model.load_adapters(dir.path()).unwrap_err();
    assert!(model.lora().is_none() && model.trainable().len() > 10, "a refused adapter leaves nothing behind");
    assert_eq!(error.exit_code(), 2);
    error.to_string().replace(&dir.path().display().to_string(), "ADAPTER")
}

#[test]
fn what_would_be_computed_wrongly_is_refused_by_name() {
    insta::assert_snapshot!(with("peft_type", json!("LOHA")), @r#"ADAPTER/adapter_config.json: peft_type is "LOHA"; expected "LORA", the only kind of adapter that is implemented"#);
    insta::assert_snapshot!(with("bias", json!("all")), @r#"ADAPTER/adapter_config.json: bias is "all", which is not implemented; merge the adapter into its model with peft"#);
    insta::assert_snapshot!(with("init_lora_weights", json!("pissa")), @r#"ADAPTER/adapter_config.json: init_lora_weights is "pissa", which is not implemented; merge the adapter into its model with peft"#);
    insta::assert_snapshot!(with("rank_pattern", json!({"q_proj": 2})), @r#"ADAPTER/adapter_config.json: rank_pattern is {"q_proj":2}, which is not implemented; merge the adapter into its model with peft"#);
    insta::assert_snapshot!(with("a_field_of_the_future", json!(true)), @"ADAPTER/adapter_config.json: a_field_of_the_future is true, which is not implemented; merge the adapter into its model with peft");
    insta::assert_snapshot!(with("r", json!(4)), @r#"ADAPTER/adapter_model.safetensors: tensor "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" has shape [3, 16]; this model and r = 4 make it [4, 16]"#);
    insta::assert_snapshot!(with("r", json!(0)), @"ADAPTER/adapter_config.json: r is 0; expected a positive whole number");
    insta::assert_snapshot!(with("use_dora", json!(true)), @"ADAPTER/adapter_model.safetensors: the adapter of model.layers.0.self_attn.q_proj is incomplete; save it again");
    insta::assert_snapshot!(refusal(|d| std::fs::remove_file(d.join("adapter_config.json")).unwrap()), @"ADAPTER: has no adapter_config.json; give the folder of an adapter as peft's save_pretrained writes it");
    insta::assert_snapshot!(refusal(|d| std::fs::write(d.join("adapter_config.json"), "{").unwrap()), @"ADAPTER/adapter_config.json: not valid JSON: EOF while parsing an object at line 1 column 1; save the adapter again");
    insta::assert_snapshot!(refusal(|d| rewrite(d, |n| (!n.ends_with("lora_B.weight")).then(|| n.to_string()))), @"ADAPTER/adapter_model.safetensors: the adapter of model.layers.0.self_attn.q_proj is incomplete; save it again");
    insta::assert_snapshot!(refusal(|d| rewrite(d, |n| Some(n.replace("layers.1.", "layers.7.")))), @r#"ADAPTER/adapter_model.safetensors: tensor "base_model.model.model.layers.7.mlp.down_proj.lora_A.weight" and 3 more are not adapters of this model's projections; it is of another model, or adapts modules other than q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"#);
    insta::assert_snapshot!(refusal(|d| rewrite(d, |_| None)), @"ADAPTER/adapter_model.safetensors: holds no adapter; save it again");
    assert!(base().save_adapters(Path::new("nowhere"), None).is_err());
}

#[test]
fn a_bfloat16_base_takes_every_kind() {
    for lora in kinds() {
        let mut model =
            Model::init(tiny("qwen2", json!({"initializer_range": 0.1})), 3, Kind::BFloat16, Device::Cpu).unwrap();
        let before = logits(&model, &TOKENS);
        model.add_lora(&lora, 5).unwrap();
        assert!(apart(&before, &logits(&model, &TOKENS)) < 0.05);
        assert!(model.trainable().iter().all(|p| p.tensor.kind() == Kind::Float));
        assert_eq!(logits(&model, &TOKENS).kind(), Kind::BFloat16);
    }
}

//! Saving, loading, adapters, random weights, and what a broken folder is told.

use std::path::Path;

use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::testing::tiny;
use super::*;
use crate::config::LoraConfig;

const CPU: Device = Device::Cpu;

pub(super) fn logits(model: &Model, tokens: &[i64]) -> Tensor {
    let positions: Vec<i64> = (0..tokens.len() as i64).collect();
    let (tokens, positions) = (Tensor::from_slice(tokens), Tensor::from_slice(&positions));
    tch::no_grad(|| model.logits(&model.hidden(&tokens, &positions, &mut Causal).unwrap()).unwrap())
}

pub(super) fn apart(a: &Tensor, b: &Tensor) -> f64 {
    (a.to_kind(Kind::Double) - b.to_kind(Kind::Double)).abs().max().double_value(&[])
}

/// Every family, tied and not, with and without biases.
fn families() -> Vec<ModelConfig> {
    vec![
        tiny("qwen3", json!({"tie_word_embeddings": true})),
        tiny("qwen3", json!({"attention_bias": true, "num_key_value_heads": 4})),
        tiny("qwen2", json!({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}})),
        tiny("llama", json!({"attention_bias": true, "mlp_bias": true, "num_key_value_heads": 1})),
        tiny("llama", json!({"tie_word_embeddings": true, "rope_scaling": {"type": "linear", "factor": 2.0}})),
    ]
}

#[test]
fn a_saved_model_is_the_same_model() {
    for kind in [Kind::Float, Kind::BFloat16] {
        for config in families() {
            let model = Model::init(config, 3, kind, CPU).unwrap();
            let dir = tempfile::tempdir().unwrap();
            model.save(dir.path()).unwrap();
            let again = Model::load(dir.path(), kind, CPU).unwrap();
            assert_eq!(again.config().rope_scaling, model.config().rope_scaling);
            assert_eq!(apart(&logits(&model, &[1, 5, 9, 90]), &logits(&again, &[1, 5, 9, 90])), 0.0);
            let mut names: Vec<_> =
                std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            assert_eq!(names, ["config.json", "generation_config.json", "model.safetensors"]);
        }
    }
}

#[test]
fn adapters_start_at_nothing_and_merge_into_what_they_were() {
    for config in families() {
        let mut model = Model::init(config, 3, Kind::Float, CPU).unwrap();
        let before = logits(&model, &[1, 5, 9, 90]);
        model.add_lora(&LoraConfig { rank: 3, ..LoraConfig::default() }, 5).unwrap();
        assert_eq!(apart(&before, &logits(&model, &[1, 5, 9, 90])), 0.0);
        let parameters = model.trainable();
        assert_eq!(parameters.len(), 2 * 7 * 2);
        assert_eq!(parameters[0].name, "model.layers.0.self_attn.q_proj.lora_A.weight");
        for p in parameters.iter().filter(|p| p.name.contains("lora_B")) {
            model.set_trainable(&p.name, &(p.tensor.ones_like() * 0.05)).unwrap();
        }
        let adapted = logits(&model, &[1, 5, 9, 90]);
        assert!(apart(&before, &adapted) > 1e-2);
        model.use_adapters(false);
        assert_eq!(apart(&before, &logits(&model, &[1, 5, 9, 90])), 0.0);
        model.use_adapters(true);
        assert_eq!(apart(&adapted, &logits(&model, &[1, 5, 9, 90])), 0.0);
        let dir = tempfile::tempdir().unwrap();
        model.save(dir.path()).unwrap();
        let saved = logits(&Model::load(dir.path(), Kind::Float, CPU).unwrap(), &[1, 5, 9, 90]);
        // Folding rounds the weights, and a logit's rounding grows with it.
        let rounding = 4e-6 * (1.0 + adapted.abs().max().double_value(&[]));
        assert!(apart(&adapted, &saved) < rounding);
        model.merge_lora().unwrap();
        assert!(apart(&adapted, &logits(&model, &[1, 5, 9, 90])) < rounding);
        assert!(model.trainable().iter().all(|p| !p.name.contains("lora")));
    }
}

#[test]
fn random_weights_depend_on_the_seed_only() {
    let init = |seed| Model::init(tiny("qwen3", json!({})), seed, Kind::Float, CPU).unwrap();
    let sum = |model: &Model| logits(model, &[3, 4]).to_kind(Kind::Double).sum(Kind::Double).double_value(&[]);
    assert_eq!(sum(&init(1)), sum(&init(1)));
    assert_ne!(sum(&init(1)), sum(&init(2)));
    let weight = &init(1).trainable()[0].tensor.flatten(0, -1);
    let std = weight.std(true).double_value(&[]);
    assert!((std - 0.3).abs() < 0.02, "{std}");
    // Pinned: another machine or another version must draw the same numbers.
    let first: Vec<f32> = Vec::try_from(weight.narrow(0, 0, 3)).unwrap();
    insta::assert_debug_snapshot!(first, @r#"
[
    0.19222538,
    0.17662993,
    0.12242079,
]
"#);
}

#[test]
fn decay_spares_norms_and_biases() {
    let model = Model::init(tiny("qwen2", json!({})), 1, Kind::Float, CPU).unwrap();
    for p in model.trainable() {
        assert_eq!(p.decay, !p.name.contains("norm") && !p.name.ends_with("bias"), "{}", p.name);
    }
}

#[test]
fn wrong_lora_settings_are_refused() {
    let mut model = Model::init(tiny("qwen2", json!({})), 1, Kind::Float, CPU).unwrap();
    let mut refused = |lora: LoraConfig| model.add_lora(&lora, 0).unwrap_err().to_string();
    let base = LoraConfig::default;
    insta::assert_snapshot!(refused(LoraConfig { rank: 0, ..base() }), @"lora.rank is 0; expected at least 1");
    insta::assert_snapshot!(refused(LoraConfig { dropout: 0.1, ..base() }), @"lora.dropout is 0.1; only 0 is supported");
    insta::assert_snapshot!(refused(LoraConfig { targets: vec!["lm_head".into()], ..base() }), @r#"lora.targets: "lm_head" is not one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"#);
    assert_eq!(model.trainable().len(), 2 + 2 * (7 + 3 + 2) + 1);
}

/// Saves a tiny model, lets `damage` loose on the folder, and returns what loading says.
fn loading_after(damage: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    let config = tiny("qwen3", json!({}));
    Model::init(config, 1, Kind::Float, CPU).unwrap().save(dir.path()).unwrap();
    damage(dir.path());
    let error = Model::load(dir.path(), Kind::Float, CPU).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    error.to_string().replace(&dir.path().display().to_string(), "MODEL")
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_broken_folder_is_told_what_is_wrong() {
    let config = |from: &'static str, to: &'static str| loading_after(move |d| edit(&d.join("config.json"), from, to));
    insta::assert_snapshot!(loading_after(|d| std::fs::remove_dir_all(d).unwrap()), @"MODEL: is not a folder; give the folder of a model as transformers' save_pretrained writes it");
    insta::assert_snapshot!(loading_after(|d| std::fs::remove_file(d.join("config.json")).unwrap()), @"MODEL: has no config.json; give the folder of a model as transformers' save_pretrained writes it");
    insta::assert_snapshot!(loading_after(|d| std::fs::remove_file(d.join("model.safetensors")).unwrap()), @"MODEL: has neither model.safetensors nor model.safetensors.index.json; give the folder of a model as transformers' save_pretrained writes it");
    insta::assert_snapshot!(loading_after(|d| {
        std::fs::rename(d.join("model.safetensors"), d.join("pytorch_model.bin")).unwrap();
    }), @"MODEL: has neither model.safetensors nor model.safetensors.index.json; it has pytorch_model.bin only: save it again with transformers' save_pretrained");
    insta::assert_snapshot!(loading_after(|d| {
        let bytes = std::fs::read(d.join("model.safetensors")).unwrap();
        std::fs::write(d.join("model.safetensors"), &bytes[..bytes.len() / 2]).unwrap();
    }), @"MODEL/model.safetensors: not a complete safetensors file (incomplete metadata, file not fully covered); download or export it again");
    insta::assert_snapshot!(config("\"vocab_size\": 96,", "\"vocab_size\": 96"), @"MODEL/config.json: not valid JSON: expected `,` or `}` at line 7 column 3; download or export the file again");
    insta::assert_snapshot!(config("\"hidden_size\": 16", "\"hidden_size\": \"16\""), @r#"MODEL/config.json: hidden_size is "16"; expected a positive whole number"#);
    insta::assert_snapshot!(config("\"hidden_size\": 16,", ""), @"MODEL/config.json: hidden_size is missing; expected a positive whole number");
    insta::assert_snapshot!(config("\"qwen3\"", "\"gpt2\""), @r#"MODEL/config.json: model_type is "gpt2"; supported: qwen3, qwen2 (and 2.5), llama (and SmolLM2)"#);
    insta::assert_snapshot!(config("\"silu\"", "\"gelu\""), @r#"MODEL/config.json: hidden_act is "gelu"; expected "silu", the only activation that is implemented"#);
    insta::assert_snapshot!(config("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3"), @"MODEL/config.json: num_attention_heads is 4, which num_key_value_heads (3) does not divide");
    insta::assert_snapshot!(config("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"longrope\"}"), @r#"MODEL/config.json: rope_scaling.type is "longrope"; expected default, linear, dynamic, llama3 or yarn"#);
    insta::assert_snapshot!(config("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"linear\"}"), @"MODEL/config.json: rope_scaling.factor is missing; expected a number");
    // Wrong shape, missing tensor, tensor too many.
    insta::assert_snapshot!(config("\"vocab_size\": 96", "\"vocab_size\": 100"), @r#"MODEL/model.safetensors: tensor "model.embed_tokens.weight" has shape [96, 16]; config.json makes it [100, 16]; they do not belong together"#);
    insta::assert_snapshot!(config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), @r#"MODEL: tensor "model.layers.2.input_layernorm.weight" is missing; config.json and weights do not belong together, or the download is incomplete"#);
    insta::assert_snapshot!(config("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"), @r#"MODEL: has 11 tensor(s) that a model of this config.json does not have, the first is "model.layers.1.input_layernorm.weight"; config.json and weights do not belong together"#);
    insta::assert_snapshot!(config("\"attention_bias\": false", "\"attention_bias\": true"), @r#"MODEL: tensor "model.layers.0.self_attn.q_proj.bias" is missing; config.json and weights do not belong together, or the download is incomplete"#);
    insta::assert_snapshot!(loading_after(|d| {
        std::fs::rename(d.join("model.safetensors"), d.join("a.safetensors")).unwrap();
        std::fs::write(d.join("model.safetensors.index.json"), r#"{"weight_map": {"x": "../a.safetensors"}}"#).unwrap();
    }), @r#"MODEL/model.safetensors.index.json: weight_map.x is "../a.safetensors"; expected the name of a file in the same folder"#);
}

#[test]
fn dynamic_scaling_serves_rows_up_to_its_limit() {
    let scaling = json!({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}, "max_position_embeddings": 6});
    let config = tiny("llama", scaling);
    let model = Model::init(config, 1, Kind::Float, CPU).unwrap();
    let plain = Model::init(tiny("llama", json!({})), 1, Kind::Float, CPU).unwrap();
    let tokens = [1, 2, 3, 4, 5, 6];
    assert_eq!(apart(&logits(&model, &tokens), &logits(&plain, &tokens)), 0.0);
    let positions = Tensor::from_slice(&[6i64]);
    let error = model.hidden(&Tensor::from_slice(&[1i64]), &positions, &mut Causal).unwrap_err().to_string();
    insta::assert_snapshot!(error, @"a row has a token at position 6, and dynamic rope scaling is implemented below max_position_embeddings (6) only; use yarn or linear scaling, or shorter conversations");
    let dir = tempfile::tempdir().unwrap();
    model.save(dir.path()).unwrap();
    assert_eq!(
        Model::load(dir.path(), Kind::Float, CPU).unwrap().config().rope_scaling,
        RopeScaling::Dynamic { factor: 2.0 }
    );
}

#[test]
fn a_missing_head_points_to_tying() {
    let dir = tempfile::tempdir().unwrap();
    let tied = tiny("llama", json!({"tie_word_embeddings": true}));
    Model::init(tied, 1, Kind::Float, CPU).unwrap().save(dir.path()).unwrap();
    edit(&dir.path().join("config.json"), "\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
    let error = Model::load(dir.path(), Kind::Float, CPU).unwrap_err().to_string();
    insta::assert_snapshot!(error.replace(&dir.path().display().to_string(), "MODEL"), @r#"MODEL: tensor "lm_head.weight" is missing; set tie_word_embeddings to true in config.json if the model ties them"#);
}

#[test]
fn shards_are_read_by_their_index() {
    let dir = tempfile::tempdir().unwrap();
    let model = Model::init(tiny("qwen3", json!({})), 1, Kind::Float, CPU).unwrap();
    model.save(dir.path()).unwrap();
    let bytes = std::fs::read(dir.path().join("model.safetensors")).unwrap();
    let all = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut map = serde_json::Map::new();
    for (name, want) in [("one", 0), ("two", 1)] {
        let file = format!("{name}.safetensors");
        let part: Vec<_> = all.tensors().into_iter().filter(|(n, _)| n.len() % 2 == want).collect();
        map.extend(part.iter().map(|(n, _)| (n.clone(), json!(file))));
        std::fs::write(dir.path().join(&file), safetensors::serialize(part, None).unwrap()).unwrap();
    }
    std::fs::write(dir.path().join("model.safetensors.index.json"), json!({"weight_map": map}).to_string()).unwrap();
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let again = Model::load(dir.path(), Kind::Float, CPU).unwrap();
    assert_eq!(apart(&logits(&model, &[1, 5]), &logits(&again, &[1, 5])), 0.0);
}

#[test]
fn parameters_are_set_by_name_and_shape() {
    let model = Model::init(tiny("qwen3", json!({})), 1, Kind::Float, CPU).unwrap();
    let before = logits(&model, &[1, 5]);
    model.set_trainable("model.norm.weight", &Tensor::full([16], 2.0, (Kind::Float, CPU))).unwrap();
    assert!(apart(&(before * 2.0), &logits(&model, &[1, 5])) < 1e-5);
    let wrong = model.set_trainable("model.norm.weight", &Tensor::ones([4], (Kind::Float, CPU))).unwrap_err();
    insta::assert_snapshot!(wrong, @"model.norm.weight: shape [4] given, the parameter's is [16]");
    assert!(model.set_trainable("nothing", &Tensor::ones([4], (Kind::Float, CPU))).is_err());
}

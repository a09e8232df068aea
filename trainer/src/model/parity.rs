//! Logits against numbers that transformers and PEFT printed; `tests/peers/parity/golden.py` prints them.

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Causal, Model, ModelConfig};
use crate::config::LoraConfig;

fn fixture() -> Value {
    serde_json::from_str(include_str!("parity.json")).unwrap()
}

/// Element i of the n-th tensor by name is `new(old, sin(0.7 i + n))`: see `golden.py`.
fn fill(model: &Model, new: impl Fn(&str, f64, f64) -> f64) {
    let mut all = model.trainable();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    for (number, parameter) in all.iter().enumerate() {
        let old: Vec<f64> = Vec::try_from(parameter.tensor.detach().to_kind(Kind::Double).flatten(0, -1)).unwrap();
        let wave = |i: usize| (0.7 * i as f64 + number as f64).sin();
        let values: Vec<f32> =
            old.iter().enumerate().map(|(i, &old)| new(&parameter.name, old, wave(i)) as f32).collect();
        let values = Tensor::from_slice(&values).view(parameter.tensor.size().as_slice());
        model.set_trainable(&parameter.name, &values).unwrap();
    }
}

/// The model of a case.
fn model(config: &Value) -> Model {
    let config = ModelConfig::from_json(config, Path::new("parity.json")).unwrap();
    let model = Model::init(config, 0, Kind::Float, Device::Cpu).unwrap();
    fill(&model, |name, _, wave| if name.contains("norm") { 1.0 + 0.2 * wave } else { 0.5 * wave });
    model
}

fn assert_logits(model: &Model, case: &Value, what: &Value) {
    let tokens: Vec<i64> = serde_json::from_value(fixture()["tokens"].clone()).unwrap();
    let positions = Tensor::arange(tokens.len() as i64, (Kind::Int64, Device::Cpu));
    let hidden = model.hidden(&Tensor::from_slice(&tokens), &positions, &mut Causal).unwrap();
    let logits = model.logits(&hidden).unwrap();
    let want: Vec<Vec<f32>> = serde_json::from_value(case["logits"].clone()).unwrap();
    let want = Tensor::from_slice2(&want);
    assert_eq!(logits.size(), want.size());
    let apart = (&logits - &want).abs().max().double_value(&[]);
    assert!(apart < 1e-4, "{what}: {apart:e}");
    // A fixture of nothing would pass.
    assert!(want.std(true).double_value(&[]) > 0.1);
}

#[test]
fn logits_are_those_of_transformers() {
    let fixture = fixture();
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 5);
    for case in cases {
        assert_logits(&model(&case["config"]), case, &case["config"]["model_type"]);
    }
}

#[test]
fn logits_with_adapters_are_those_of_peft() {
    let fixture = fixture();
    let base = fixture["cases"].as_array().unwrap().last().unwrap();
    let adapters = fixture["adapters"].as_array().unwrap();
    assert_eq!(adapters.len(), 3);
    for case in adapters {
        let settings = &case["settings"];
        let flag = |key: &str| settings[key].as_bool().unwrap_or(false);
        let lora = LoraConfig {
            rank: settings["r"].as_u64().unwrap() as usize,
            alpha: settings["lora_alpha"].as_f64().unwrap(),
            targets: serde_json::from_value(settings["target_modules"].clone()).unwrap(),
            rank_stabilised: flag("use_rslora"),
            dora: flag("use_dora"),
            ..LoraConfig::default()
        };
        let mut model = model(&base["config"]);
        model.add_lora(&lora, 0).unwrap();
        fill(&model, |name, old, wave| if name.contains("magnitude") { old * (1.0 + 0.2 * wave) } else { 0.3 * wave });
        assert_logits(&model, case, settings);
        model.merge_lora().unwrap();
        assert_logits(&model, case, settings);
    }
}

//! Logits against numbers that transformers printed; `tests/peers/parity/golden.py` prints them.

use std::path::Path;

use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{Causal, Model, ModelConfig};

/// The weights of the fixture: see `golden.py`.
fn fill(model: &Model) {
    let mut names: Vec<(String, Vec<i64>)> = model.trainable().into_iter().map(|p| (p.name, p.tensor.size())).collect();
    names.sort();
    for (number, (name, shape)) in names.iter().enumerate() {
        let wave = |i: i64| (0.7 * i as f64 + number as f64).sin();
        let value = |i: i64| if name.contains("norm") { 1.0 + 0.2 * wave(i) } else { 0.5 * wave(i) };
        let values: Vec<f32> = (0..shape.iter().product()).map(|i| value(i) as f32).collect();
        model.set_trainable(name, &Tensor::from_slice(&values).view(shape.as_slice())).unwrap();
    }
}

#[test]
fn logits_are_those_of_transformers() {
    let fixture: Value = serde_json::from_str(include_str!("parity.json")).unwrap();
    let tokens: Vec<i64> = serde_json::from_value(fixture["tokens"].clone()).unwrap();
    let positions = Tensor::arange(tokens.len() as i64, (Kind::Int64, Device::Cpu));
    let cases = fixture["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let config = ModelConfig::from_json(&case["config"], Path::new("parity.json")).unwrap();
        let model = Model::init(config, 0, Kind::Float, Device::Cpu).unwrap();
        fill(&model);
        let hidden = model.hidden(&Tensor::from_slice(&tokens), &positions, &mut Causal).unwrap();
        let logits = model.logits(&hidden).unwrap();
        let want: Vec<Vec<f32>> = serde_json::from_value(case["logits"].clone()).unwrap();
        let want = Tensor::from_slice2(&want);
        assert_eq!(logits.size(), want.size());
        let apart = (&logits - &want).abs().max().double_value(&[]);
        assert!(apart < 1e-4, "{}: {apart:e}", case["config"]["model_type"]);
        // A fixture of nothing would pass.
        assert!(want.std(true).double_value(&[]) > 0.1);
    }
}

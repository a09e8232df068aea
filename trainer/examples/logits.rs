//! Prints the logits of a model for one row of tokens as JSON, `[[…], …]`: one list a token.
//!
//!     cargo run --release --example logits -- DIR [--dtype float32|bfloat16] [--lora | --adapter DIR] [--save DIR]
//!         [--save-adapter DIR] TOKENS…
//!
//! `--lora` adds adapters that change the logits (deterministic), with `--rslora` and `--dora` of those kinds; `--adapter`
//! reads them from a folder of PEFT's. `--save` writes the model, adapters folded in, `--save-adapter` the adapters.
//! `tests/peers/parity/parity.py` compares all of this with transformers.

use std::path::PathBuf;

use anyhow::{Context, bail};
use novice::config::LoraConfig;
use novice::model::{Causal, Model};
use tch::{Device, Kind, Tensor};

fn main() -> anyhow::Result<()> {
    let mut dir = None;
    let mut save = None;
    let mut kind = Kind::Float;
    let mut lora: Option<LoraConfig> = None;
    let (mut adapter, mut save_adapter) = (None, None);
    let small = || LoraConfig { rank: 4, alpha: 8.0, ..LoraConfig::default() };
    let mut tokens: Vec<i64> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--dtype" => {
                kind = match arguments.next().as_deref() {
                    Some("float32") => Kind::Float,
                    Some("bfloat16") => Kind::BFloat16,
                    other => bail!("--dtype: expected float32 or bfloat16, found {other:?}"),
                }
            }
            "--lora" => drop(lora.get_or_insert_with(small)),
            "--rslora" => lora.get_or_insert_with(small).rank_stabilised = true,
            "--dora" => lora.get_or_insert_with(small).dora = true,
            "--save" => save = Some(PathBuf::from(arguments.next().context("--save needs a folder")?)),
            "--adapter" => adapter = Some(PathBuf::from(arguments.next().context("--adapter needs a folder")?)),
            "--save-adapter" => {
                save_adapter = Some(PathBuf::from(arguments.next().context("--save-adapter needs a folder")?));
            }
            _ if dir.is_none() => dir = Some(PathBuf::from(argument)),
            _ => tokens.push(argument.parse().with_context(|| format!("{argument:?} is not a token id"))?),
        }
    }
    let dir = dir.context("usage: logits DIR [--dtype KIND] [--lora | --adapter DIR] [--save DIR] TOKENS…")?;
    let mut model = Model::load(&dir, kind, Device::Cpu)?;
    if let Some(adapter) = adapter {
        model.load_adapters(&adapter)?;
    }
    if let Some(lora) = lora {
        model.add_lora(&lora, 7)?;
        for parameter in model.trainable().iter().filter(|p| p.name.ends_with("lora_B.weight")) {
            let count = parameter.tensor.numel() as i64;
            let ramp = Tensor::f_arange(count, (Kind::Float, Device::Cpu))?.f_sin()?.f_mul_scalar(0.1)?;
            model.set_trainable(&parameter.name, &ramp.f_view(parameter.tensor.size().as_slice())?)?;
        }
    }
    if let Some(save) = save {
        model.save(&save)?;
    }
    if let Some(save) = save_adapter {
        model.save_adapters(&save, None)?;
    }
    let positions = Tensor::f_arange(tokens.len() as i64, (Kind::Int64, Device::Cpu))?;
    let logits = tch::no_grad(|| {
        let hidden = model.hidden(&Tensor::f_from_slice(&tokens)?, &positions, &mut Causal)?;
        anyhow::Ok(model.logits(&hidden)?.f_to_kind(Kind::Float)?)
    })?;
    let rows: Vec<Vec<f32>> = Vec::try_from(&logits)?;
    println!("{}", serde_json::to_string(&rows)?);
    Ok(())
}

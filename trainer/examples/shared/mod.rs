//! What the examples that measure share: settings from the command line, and a model without attention.

use anyhow::{Context, bail};
use novice::model::Attention;
use tch::Tensor;

/// Numbers by name, each with a default.
pub struct Settings(Vec<(&'static str, f64)>);

impl Settings {
    /// The defaults, changed by arguments `key=value`.
    pub fn read(defaults: &[(&'static str, f64)], arguments: impl Iterator<Item = String>) -> anyhow::Result<Settings> {
        let mut all = defaults.to_vec();
        for argument in arguments {
            let (key, value) = argument.split_once('=').context("expected key=value")?;
            let Some(slot) = all.iter_mut().find(|(k, _)| *k == key) else { bail!("unknown key {key:?}") };
            slot.1 = value.parse().with_context(|| format!("{key}: {value:?} is not a number"))?;
        }
        Ok(Settings(all))
    }

    /// The number of a name.
    pub fn get(&self, key: &str) -> f64 {
        self.0.iter().find(|(k, _)| *k == key).map_or(0.0, |(_, v)| *v)
    }

    /// The same without its fraction.
    pub fn count(&self, key: &str) -> usize {
        self.get(key) as usize
    }
}

/// Hands the queries through: what is left of a pass is everything but attention.
#[allow(dead_code)] // not every example uses it
pub struct Nothing;

impl Attention for Nothing {
    fn attend(&mut self, _layer: usize, q: Tensor, _k: Tensor, _v: Tensor) -> novice::Result<Tensor> {
        Ok(q)
    }

    fn wants_gradient(&self) -> bool {
        false
    }
}

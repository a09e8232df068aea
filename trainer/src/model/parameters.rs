//! The tensors of a model by name: which of them training changes, adapters beside them, and what is saved.

use tch::Tensor;

use super::decoder::Model;
use super::linear::Linear;
use super::lora::Adapter;
use super::names;
use super::norm::RmsNorm;
use crate::config::LoraConfig;
use crate::error::{Error, Result, TensorResult};

/// A tensor that training changes.
#[derive(Debug)]
pub struct Parameter {
    /// Hugging Face name; of adapters `….lora_A.weight`, `….lora_B.weight` and `….lora_magnitude_vector`.
    pub name: String,
    /// Shares its memory with the model's and requires grad; the gradient is in `tensor.grad()`.
    pub tensor: Tensor,
    /// Whether weight decay applies: to matrices (the embedding and the LM head among them), not to norms and biases,
    /// as in transformers' Trainer.
    pub decay: bool,
}

/// A tensor as it is saved.
pub(super) enum Merged<'m> {
    Plain(&'m Tensor),
    Adapted(&'m Linear),
}

impl Merged<'_> {
    pub(super) fn size(&self) -> Vec<i64> {
        match self {
            Merged::Plain(tensor) => tensor.size(),
            Merged::Adapted(linear) => linear.weight.size(),
        }
    }

    pub(super) fn tensor(&self) -> Result<Tensor> {
        match self {
            Merged::Plain(tensor) => Ok(tensor.shallow_clone()),
            Merged::Adapted(linear) => linear.merged(),
        }
    }
}

impl Model {
    /// Freezes the base and adds an adapter to each target. The same seed gives the same adapters.
    ///
    /// # Errors
    /// When there are adapters already, or the settings make no sense.
    pub fn add_lora(&mut self, lora: &LoraConfig, seed: u64) -> Result<()> {
        lora.check()?;
        if self.lora.is_some() {
            return Err(Error::Usage("the model has adapters already; merge them before adding others".into()));
        }
        self.freeze()?;
        let device = self.device;
        for linear in self.linears_mut() {
            let short = linear.name.rsplit('.').next().unwrap_or_default();
            if lora.targets.iter().any(|t| t == short) {
                linear.adapter = Some(Adapter::new(&linear.name, &linear.weight, lora, seed, device)?);
            }
        }
        self.lora = Some(lora.clone());
        Ok(())
    }

    /// Switches the adapters off, so that the model is its base, or on again. A preference loss compares the two.
    pub fn use_adapters(&mut self, on: bool) {
        for linear in self.linears_mut() {
            if let Some(adapter) = &mut linear.adapter {
                adapter.on = on;
            }
        }
    }

    /// Folds the adapters into the base weights and removes them; the base is trainable again.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn merge_lora(&mut self) -> Result<()> {
        for linear in self.linears_mut() {
            linear.weight = linear.merged()?.f_detach().op("merge adapter")?;
            linear.adapter = None;
        }
        self.lora = None;
        self.set_base_grad(true)
    }

    /// Makes nothing of the base trainable.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn freeze(&mut self) -> Result<()> {
        self.set_base_grad(false)
    }

    fn set_base_grad(&self, requires_grad: bool) -> Result<()> {
        for (_, tensor) in self.base() {
            let _ = tensor.f_set_requires_grad(requires_grad).op("freeze")?;
        }
        Ok(())
    }

    /// The parameters that require grad, in the order of the layers.
    pub fn trainable(&self) -> Vec<Parameter> {
        let all = self.base().into_iter().chain(self.adapters());
        let trained = all.filter(|(_, tensor)| tensor.requires_grad());
        trained.map(|(name, t)| Parameter { name, decay: t.dim() > 1, tensor: t.shallow_clone() }).collect()
    }

    /// Overwrites a trainable parameter in place, converting `value` to its kind; for resuming.
    ///
    /// # Errors
    /// When there is no such parameter or the shapes differ.
    pub fn set_trainable(&self, name: &str, value: &Tensor) -> Result<()> {
        let Some(mut parameter) = self.trainable().into_iter().find(|p| p.name == name) else {
            return Err(Error::Usage(format!("{name:?} is not a trainable parameter of this model")));
        };
        if parameter.tensor.size() != value.size() {
            let (have, given) = (parameter.tensor.size(), value.size());
            return Err(Error::Usage(format!("{name}: shape {given:?} given, the parameter's is {have:?}")));
        }
        tch::no_grad(|| parameter.tensor.f_copy_(value)).op("set parameter")
    }

    /// Every tensor of the base, by name.
    fn base(&self) -> Vec<(String, &Tensor)> {
        self.merged_tensors()
            .into_iter()
            .map(|(name, tensor)| match tensor {
                Merged::Plain(tensor) => (name, tensor),
                Merged::Adapted(linear) => (name, &linear.weight),
            })
            .collect()
    }

    /// Every tensor of the adapters, by name.
    pub(super) fn adapters(&self) -> Vec<(String, &Tensor)> {
        let adapters = self.linears().filter_map(|l| l.adapter.as_ref().map(|a| (&l.name, a)));
        adapters.flat_map(|(n, a)| a.tensors().map(move |(part, tensor)| (format!("{n}.{part}"), tensor))).collect()
    }

    /// The linear layers, in order.
    pub(super) fn linears(&self) -> impl Iterator<Item = &Linear> {
        self.layers.iter().flat_map(|l| l.attention.iter().chain(&l.mlp))
    }

    /// The linear layers, in order.
    pub(super) fn linears_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        self.layers.iter_mut().flat_map(|l| l.attention.iter_mut().chain(&mut l.mlp))
    }

    /// Every tensor that a folder of this model holds, in the order of the layers.
    pub(super) fn merged_tensors(&self) -> Vec<(String, Merged<'_>)> {
        let mut all = vec![(names::EMBEDDING.to_string(), Merged::Plain(&self.embedding))];
        let norm = |n: &'_ RmsNorm| n.name.clone();
        for layer in &self.layers {
            all.push((norm(&layer.input_norm), Merged::Plain(&layer.input_norm.weight)));
            for linear in layer.attention.iter().chain(&layer.mlp) {
                let weight = match linear.adapter {
                    Some(_) => Merged::Adapted(linear),
                    None => Merged::Plain(&linear.weight),
                };
                all.push((format!("{}.weight", linear.name), weight));
                if let Some(bias) = &linear.bias {
                    all.push((format!("{}.bias", linear.name), Merged::Plain(bias)));
                }
            }
            for head_norm in layer.head_norms.iter().flatten() {
                all.push((norm(head_norm), Merged::Plain(&head_norm.weight)));
            }
            all.push((norm(&layer.post_norm), Merged::Plain(&layer.post_norm.weight)));
        }
        all.push((norm(&self.norm), Merged::Plain(&self.norm.weight)));
        if let Some(head) = &self.head {
            all.push((names::HEAD.to_string(), Merged::Plain(head)));
        }
        all
    }
}

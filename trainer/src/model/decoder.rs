//! [`Model`]: the decoder as a whole, built from random weights or a folder, with its trainable parameters.

use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::attention::Attention;
use super::config::{Architecture, ModelConfig};
use super::init;
use super::layer::Layer;
use super::linear::Linear;
use super::lora::{Adapter, LoraConfig};
use super::names::{self, Spec};
use super::norm::RmsNorm;
use super::rope::{Rope, Rotation};
use super::weights::Weights;
use crate::error::{Error, Result, TensorResult};

/// A causal decoder. Tokens of all rows lie in one flat row; the [`Attention`] decides who sees whom.
#[derive(Debug)]
pub struct Model {
    config: ModelConfig,
    dtype: Kind,
    device: Device,
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: RmsNorm,
    /// Absent when tied to the embedding.
    head: Option<Tensor>,
    rope: Rope,
    /// What the adapters were made with.
    lora: Option<LoraConfig>,
}

/// A tensor that training changes.
#[derive(Debug)]
pub struct Parameter {
    /// Hugging Face name; of adapters `….lora_A.weight` and `….lora_B.weight`.
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
    /// Loads a Hugging Face folder, converting the weights to `dtype`. All parameters are trainable.
    ///
    /// # Errors
    /// When a file is missing or broken, or a tensor is missing, unexpected or of the wrong shape; each names the file
    /// and says what to do.
    pub fn load(dir: &Path, dtype: Kind, device: Device) -> Result<Model> {
        let path = dir.join("config.json");
        if !path.is_file() {
            let message = match dir.is_dir() {
                true => "has no config.json; give the folder of a model as transformers' save_pretrained writes it",
                false => "is not a folder; give the folder of a model as transformers' save_pretrained writes it",
            };
            return Err(Error::model(dir, message));
        }
        let config = ModelConfig::read(&path)?;
        let weights = Weights::open(dir)?;
        weights.refuse_unexpected(&names::specs(&config))?;
        Model::build(config, dtype, device, &|spec| weights.read(spec, dtype, device))
    }

    /// A model with random weights: normal with the deviation `initializer_range`, biases 0, norms 1. The same seed
    /// gives the same bytes. All parameters are trainable.
    ///
    /// # Errors
    /// When the sizes of `config` do not fit each other.
    pub fn init(config: ModelConfig, seed: u64, dtype: Kind, device: Device) -> Result<Model> {
        config.check(Path::new("config.json"))?;
        Model::build(config, dtype, device, &|spec| init::begin(spec, seed, dtype, device))
    }

    fn build(
        config: ModelConfig,
        dtype: Kind,
        device: Device,
        source: &dyn Fn(&Spec) -> Result<Tensor>,
    ) -> Result<Model> {
        if !matches!(dtype, Kind::Float | Kind::BFloat16) {
            return Err(Error::Usage(format!("models of kind {dtype:?} are not supported; use float32 or bfloat16")));
        }
        let mut specs = names::specs(&config).into_iter();
        let mut next = |name: &str| match specs.next() {
            Some(spec) if spec.name == name => source(&spec)?.f_set_requires_grad(true).op("parameter"),
            found => Err(Error::Failed(format!("expected tensor {name}, found {found:?}"))),
        };
        let eps = config.rms_norm_eps;
        let embedding = next(names::EMBEDDING)?;
        let mut layers = Vec::new();
        for index in 0..config.num_hidden_layers {
            let at = |rest: &str| format!("model.layers.{index}.{rest}");
            let norm = |rest: &str, next: &mut dyn FnMut(&str) -> Result<Tensor>| {
                let name = at(rest);
                Ok::<_, Error>(RmsNorm { weight: next(&name)?, name, eps })
            };
            let linear = |projection: usize, next: &mut dyn FnMut(&str) -> Result<Tensor>| {
                let (module, short) = names::PROJECTIONS[projection];
                let name = at(&format!("{module}.{short}"));
                let weight = next(&format!("{name}.weight"))?;
                let bias = match names::projection(&config, short).2 {
                    true => Some(next(&format!("{name}.bias"))?),
                    false => None,
                };
                Ok::<_, Error>(Linear { name, weight, bias, adapter: None })
            };
            let input_norm = norm("input_layernorm.weight", &mut next)?;
            let attention =
                [linear(0, &mut next)?, linear(1, &mut next)?, linear(2, &mut next)?, linear(3, &mut next)?];
            let mlp = [linear(4, &mut next)?, linear(5, &mut next)?, linear(6, &mut next)?];
            let head_norms = match config.architecture {
                Architecture::Qwen3 => {
                    Some([norm("self_attn.q_norm.weight", &mut next)?, norm("self_attn.k_norm.weight", &mut next)?])
                }
                _ => None,
            };
            let post_norm = norm("post_attention_layernorm.weight", &mut next)?;
            layers.push(Layer { input_norm, attention, head_norms, post_norm, mlp, head_dim: config.head_dim });
        }
        let norm = RmsNorm { name: names::FINAL_NORM.into(), weight: next(names::FINAL_NORM)?, eps };
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(next(names::HEAD)?),
        };
        let rope = Rope::new(&config, dtype, device)?;
        Ok(Model { config, dtype, device, embedding, layers, norm, head, rope, lora: None })
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where the weights are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// The kind of the weights and of the hidden states.
    pub fn dtype(&self) -> Kind {
        self.dtype
    }

    /// What the adapters were made with, when there are some.
    pub fn lora(&self) -> Option<&LoraConfig> {
        self.lora.as_ref()
    }

    // ---------------------------------------------------------------------------------------------- the forward pass

    /// `tokens [T]` i64 and `positions [T]` i64 → hidden states after the final norm `[T, hidden_size]`.
    ///
    /// # Errors
    /// When libtorch refuses: a token outside the vocabulary, shapes that do not fit.
    pub fn hidden(&self, tokens: &Tensor, positions: &Tensor, attention: &mut dyn Attention) -> Result<Tensor> {
        let rotation = self.rotation(positions)?;
        let mut x = self.embed(tokens)?;
        for index in 0..self.layers.len() {
            x = self.layer(index, &x, &rotation, attention, None)?;
        }
        self.norm.forward(&x)
    }

    /// [`Model::hidden`] from embedded tokens `[T, hidden_size]`, at some tokens only: `rows [R]` i64 →
    /// `[R, hidden_size]`. What the last layer does behind attention is computed for those rows alone.
    pub(crate) fn hidden_rows(
        &self,
        embedded: &Tensor,
        positions: &Tensor,
        attention: &mut dyn Attention,
        rows: &Tensor,
    ) -> Result<Tensor> {
        let rotation = self.rotation(positions)?;
        let mut x = embedded.shallow_clone();
        for index in 0..self.layers.len() - 1 {
            x = self.layer(index, &x, &rotation, attention, None)?;
        }
        self.last(&x, &rotation, attention, rows)
    }

    /// The last layer and the final norm at `rows [R]`: `[T, hidden_size]` → `[R, hidden_size]`.
    pub(crate) fn last(
        &self,
        x: &Tensor,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: &Tensor,
    ) -> Result<Tensor> {
        self.norm.forward(&self.layer(self.layers.len() - 1, x, rotation, attention, Some(rows))?)
    }

    /// Number of layers, at least 1.
    pub(crate) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// The embedding `[vocab_size, hidden_size]`.
    pub(crate) fn embedding(&self) -> &Tensor {
        &self.embedding
    }

    /// The rows of the embedding for `tokens [T]` → `[T, hidden_size]`.
    pub(crate) fn embed(&self, tokens: &Tensor) -> Result<Tensor> {
        self.embedding.f_index_select(0, tokens).op("embedding")
    }

    /// The rotation of queries and keys at `positions [T]`.
    pub(crate) fn rotation(&self, positions: &Tensor) -> Result<Rotation> {
        self.rope.rotation(positions)
    }

    /// One layer, `[T, hidden_size]` → `[T, hidden_size]`, or `[R, hidden_size]` when `rows [R]` are asked for.
    pub(crate) fn layer(
        &self,
        index: usize,
        x: &Tensor,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: Option<&Tensor>,
    ) -> Result<Tensor> {
        match self.layers.get(index) {
            Some(layer) => layer.forward(index, x, rotation, attention, rows),
            None => Err(Error::Usage(format!("the model has {} layers; {index} is not one", self.layers.len()))),
        }
    }

    /// LM head weight `[vocab_size, hidden_size]`: the embedding when tied. Shares the model's memory.
    pub fn head(&self) -> Tensor {
        self.head.as_ref().unwrap_or(&self.embedding).shallow_clone()
    }

    /// `hidden [N, hidden_size]` → logits `[N, vocab_size]` in the model's kind.
    ///
    /// # Errors
    /// When the shapes do not fit.
    pub fn logits(&self, hidden: &Tensor) -> Result<Tensor> {
        hidden.f_linear(self.head.as_ref().unwrap_or(&self.embedding), None::<&Tensor>).op("lm_head")
    }

    // -------------------------------------------------------------------------------------------- what training moves

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
        for linear in self.layers.iter_mut().flat_map(|l| l.attention.iter_mut().chain(&mut l.mlp)) {
            let short = linear.name.rsplit('.').next().unwrap_or_default();
            if lora.targets.iter().any(|t| t == short) {
                let shape = linear.weight.size2().op("adapter")?;
                linear.adapter = Some(Adapter::new(&linear.name, shape, lora, seed, device)?);
            }
        }
        self.lora = Some(lora.clone());
        Ok(())
    }

    /// Folds the adapters into the base weights and removes them; the base is trainable again.
    ///
    /// # Errors
    /// When libtorch refuses.
    pub fn merge_lora(&mut self) -> Result<()> {
        for linear in self.layers.iter_mut().flat_map(|l| l.attention.iter_mut().chain(&mut l.mlp)) {
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

    fn adapters(&self) -> Vec<(String, &Tensor)> {
        let linears = self.layers.iter().flat_map(|l| l.attention.iter().chain(&l.mlp));
        let adapters = linears.filter_map(|l| l.adapter.as_ref().map(|a| (&l.name, a)));
        adapters
            .flat_map(|(n, a)| [(format!("{n}.lora_A.weight"), &a.a), (format!("{n}.lora_B.weight"), &a.b)])
            .collect()
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

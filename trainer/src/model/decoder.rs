//! [`Model`]: the decoder as a whole, built from random weights or a folder, and its forward pass.

use std::cell::Cell;
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::attention::Attention;
use super::backward::Tape;
use super::config::{Architecture, ModelConfig};
use super::halves;
use super::init;
use super::layer::Layer;
use super::linear::{Linear, read};
use super::names::{self, Spec};
use super::norm::RmsNorm;
use super::packed::Pack;
use super::rope::{Rope, Rotation};
use super::weights::Weights;
use crate::config::LoraConfig;
use crate::error::{Error, Result, TensorResult};
use crate::lanes::Instructions;

/// Rows of float32 that take hardly more time together than one, because the weights are what is waited for.
const FEW: usize = 16;

/// A causal decoder. Tokens of all rows lie in one flat row; the [`Attention`] decides who sees whom.
#[derive(Debug)]
pub struct Model {
    pub(super) config: ModelConfig,
    pub(super) dtype: Kind,
    pub(super) device: Device,
    pub(super) embedding: Tensor,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: RmsNorm,
    /// Absent when tied to the embedding.
    pub(super) head: Option<Tensor>,
    pub(super) rope: Rope,
    /// What the adapters were made with.
    pub(super) lora: Option<LoraConfig>,
    /// Panels of the head.
    head_pack: Pack,
    /// How many hold the weights still.
    still: Cell<usize>,
}

/// While it lives, a model's weights do not change, so that what is made of them for products without a graph is kept.
#[derive(Debug)]
pub(crate) struct Still<'m>(&'m Model);

impl Drop for Still<'_> {
    fn drop(&mut self) {
        self.0.still.set(self.0.still.get() - 1);
        if self.0.still.get() == 0 {
            self.0.packs().for_each(|(_, pack)| pack.clear());
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
                Ok::<_, Error>(Linear { name, weight, bias, adapter: None, pack: Pack::default() })
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
        Ok(Model {
            config,
            dtype,
            device,
            embedding,
            layers,
            norm,
            head,
            rope,
            lora: None,
            head_pack: Pack::default(),
            still: Cell::new(0),
        })
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

    /// `tokens [T]` i64 and `positions [T]` i64 → hidden states after the final norm `[T, hidden_size]`.
    ///
    /// # Errors
    /// When libtorch refuses: a token outside the vocabulary, shapes that do not fit.
    pub fn hidden(&self, tokens: &Tensor, positions: &Tensor, attention: &mut dyn Attention) -> Result<Tensor> {
        let rotation = self.rotation(positions)?;
        let mut x = self.embed(tokens)?;
        for index in 0..self.layers.len() {
            (x, _) = self.layer(index, &x, &rotation, attention, None)?;
        }
        self.final_norm(&x, attention.wants_gradient())
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
        for index in 0..self.layers.len() {
            let rows = (index + 1 == self.layers.len()).then_some(rows);
            (x, _) = self.layer(index, &x, &rotation, attention, rows)?;
        }
        self.final_norm(&x, attention.wants_gradient())
    }

    /// The norm behind the last layer; with a graph if one is wanted.
    pub(crate) fn final_norm(&self, x: &Tensor, graph: bool) -> Result<Tensor> {
        self.norm.forward(x, graph)
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

    /// One layer, `[T, hidden_size]` → `[T, hidden_size]`, or `[R, hidden_size]` when `rows [R]` are asked for; with what
    /// [`Model::layer_backward`] needs.
    pub(crate) fn layer(
        &self,
        index: usize,
        x: &Tensor,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: Option<&Tensor>,
    ) -> Result<(Tensor, Tape)> {
        self.at(index)?.forward(index, x, rotation, attention, rows)
    }

    /// The gradient of a layer's input `[T, hidden_size]` from that of its output `[R, hidden_size]`; adds those of its
    /// parameters to the ones that they have. `attention` builds a graph.
    pub(crate) fn layer_backward(
        &self,
        index: usize,
        tape: Tape,
        rotation: &Rotation,
        attention: &mut dyn Attention,
        rows: Option<&Tensor>,
        gradient: &Tensor,
    ) -> Result<Tensor> {
        self.at(index)?.backward(index, tape, rotation, attention, rows, gradient)
    }

    /// As [`Model::layer_backward`], of the norm behind the last layer: `x` is its input.
    pub(crate) fn final_norm_backward(&self, x: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        self.norm.backward(x, gradient)
    }

    fn at(&self, index: usize) -> Result<&Layer> {
        let message = || Error::Usage(format!("the model has {} layers; {index} is not one", self.layers.len()));
        self.layers.get(index).ok_or_else(message)
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

    /// Holds the weights still for many passes without a graph. It is the caller who sees to it that nothing changes them.
    ///
    /// # Errors
    /// When libtorch has no memory for their copies.
    pub(crate) fn still(&self) -> Result<Still<'_>> {
        self.still.set(self.still.get() + 1);
        let still = Still(self);
        if self.still.get() == 1 {
            self.packs().try_for_each(|(weight, pack)| pack.fill(weight))?;
        }
        Ok(still)
    }

    fn packs(&self) -> impl Iterator<Item = (&Tensor, &Pack)> {
        let head = (self.head.as_ref().unwrap_or(&self.embedding), &self.head_pack);
        let linears = self.layers.iter().flat_map(|layer| layer.attention.iter().chain(&layer.mlp));
        linears.flat_map(Linear::packs).chain([head])
    }

    /// Up to this many tokens can go through a pass without a graph together and have the very numbers that each has alone,
    /// in hardly more time; 0 where there is no such promise.
    pub fn independent_rows(&self) -> usize {
        match (self.device, self.dtype, Instructions::best()) {
            (Device::Cpu, Kind::Float, Some(_)) => FEW,
            (Device::Cpu, Kind::BFloat16, Some(_)) => halves::FEW as usize,
            _ => 0,
        }
    }

    /// [`Model::logits`] without a graph, faster for a few rows.
    ///
    /// # Errors
    /// As [`Model::logits`].
    pub fn read_logits(&self, hidden: &Tensor) -> Result<Tensor> {
        match read(hidden, self.head.as_ref().unwrap_or(&self.embedding), None, &self.head_pack)? {
            Some(logits) => Ok(logits),
            None => tch::no_grad(|| self.logits(hidden)),
        }
    }
}

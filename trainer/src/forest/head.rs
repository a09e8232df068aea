//! The LM head at the targets, a chunk of them at a time: logits of all targets are never held at once.
//!
//! With logits `z = W h / τ` and `p = softmax(z)`, a target t has log-prob `z_t − log Σ exp z` and, for
//! `g = ∂loss/∂log p_t`, the gradient `∂loss/∂(W h) = g · (onehot(t) − p) / τ`. So the backward pass of a chunk needs
//! nothing that a forward pass would have kept: it computes the logits again (or for the first time) and goes straight to
//! `∂h = dW` and `∂W = dᵀh`, with d the `[chunk, vocab]` gradient, made in place of p, which is made in place of z.
//!
//! Log-softmax and everything after it is in float32, on the CPU by `softmax.rs`, elsewhere by libtorch; the products are in
//! the model's kind.

use tch::{Device, Kind, TchError, Tensor};

use super::Options;
use super::batch::{Batch, on};
use super::softmax::{Answer, Rows};
use crate::error::{Error, Result, TensorResult};
use crate::exact::Factors;
use crate::model::{Model, gradient};
use crate::numbers::changed;

/// Logits of a chunk, where the options leave it open: 64 MiB of them. With fewer rows the matrix library, which copies the
/// weight for every product, would spend more of its time on that.
const CHUNK_LOGITS: usize = 16 << 20;

impl Options {
    /// Target rows that go through the LM head at once, for a vocabulary of the given size, at least 1.
    pub fn rows(&self, vocabulary: usize) -> usize {
        if self.chunk > 0 { self.chunk } else { (CHUNK_LOGITS / vocabulary).clamp(16, 1024) }
    }
}

/// Log-probs and entropies, one of each a target.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) log_probs: Vec<f32>,
    pub(super) entropies: Vec<f32>,
}

/// The head of one pass over hidden states `[R, D]` at the batch's rows.
pub(super) struct Head<'a> {
    model: &'a Model,
    batch: &'a Batch<'a>,
    options: &'a Options,
    hidden: Tensor,
    /// Whether the logits are on the CPU.
    on_host: bool,
}

impl<'a> Head<'a> {
    pub(super) fn new(model: &'a Model, batch: &'a Batch<'a>, options: &'a Options, hidden: &Tensor) -> Result<Self> {
        if !(options.temperature.is_finite() && options.temperature > 0.0) {
            let message = format!("temperature is {}; log-probs need a positive number", options.temperature);
            return Err(Error::Usage(message));
        }
        let hidden = hidden.f_detach().op("head")?;
        let on_host = hidden.device() == Device::Cpu;
        Ok(Head { model, batch, options, hidden, on_host })
    }

    /// Rows of a chunk.
    fn rows(&self) -> usize {
        self.options.rows(self.model.config().vocab_size.max(1) as usize)
    }

    /// Log-probs of all targets.
    pub(super) fn read(&self) -> Result<Read> {
        let all: Vec<usize> = (0..self.batch.targets()).collect();
        tch::no_grad(|| {
            let mut columns = Columns::default();
            for chunk in all.chunks(self.rows()) {
                let rows = self.chunk(chunk, &self.batch.row_of)?;
                let _ = self.scores(&self.select(&rows)?, chunk, None, &mut columns)?;
            }
            columns.finish()
        })
    }

    /// Adds `∂loss/∂W` to the gradient of the head's weight unless it is frozen, and returns `∂loss/∂h` `[R, D]`, with
    /// `slopes` the derivative of the loss by each target's log-prob. Targets of slope 0 are left out unless `read`
    /// asks for the log-probs of all.
    pub(super) fn backward(&self, slopes: &[f32], read: bool) -> Result<(Tensor, Read)> {
        let kept: Vec<usize> = (0..self.batch.targets()).filter(|&i| read || slopes[i] != 0.0).collect();
        tch::no_grad(|| {
            let weight = self.model.head();
            let mut sink = WeightGradient::new(&weight)?;
            let mut hidden_grad = self.hidden.f_zeros_like().op("head gradient")?;
            let mut columns = Columns::default();
            for chunk in kept.chunks(self.rows()) {
                let rows = self.chunk(chunk, &self.batch.row_of)?;
                let hidden = self.select(&rows)?;
                let slope: Vec<f32> = chunk.iter().map(|&i| slopes[i]).collect();
                let d = self.scores(&hidden, chunk, Some(&slope), &mut columns)?;
                let mut through = || {
                    let d = d.f_to_kind(self.model.dtype())?;
                    let _ = hidden_grad.f_index_add_(0, &rows, &d.f_mm(&weight)?)?;
                    sink.add(&d, &hidden)
                };
                through().op("head gradient")?;
            }
            sink.finish()?;
            Ok((hidden_grad, columns.finish()?))
        })
    }

    /// What `of` has for each target, for some targets: a row, an id.
    fn chunk(&self, targets: &[usize], of: &[i64]) -> Result<Tensor> {
        on(self.hidden.device(), &targets.iter().map(|&i| of[i]).collect::<Vec<i64>>())
    }

    fn select(&self, rows: &Tensor) -> Result<Tensor> {
        self.hidden.f_index_select(0, rows).op("head")
    }

    /// The log-probs and entropies of some targets go to `columns`; what is left, in the memory of the logits, is their
    /// gradient `slope · (onehot(id) − p) / τ` `[C, V]` in float32, if there are slopes.
    fn scores(
        &self,
        hidden: &Tensor,
        targets: &[usize],
        slopes: Option<&[f32]>,
        columns: &mut Columns,
    ) -> Result<Tensor> {
        let logits = self.model.logits(hidden)?.f_to_kind(Kind::Float).op("log_softmax")?;
        if self.on_host {
            return self.on_host(logits, hidden, targets, slopes, columns);
        }
        let ids = self.chunk(targets, &self.batch.ids)?.unsqueeze(1);
        let slopes = slopes.map(|slopes| on(logits.device(), slopes)).transpose()?;
        self.on_device(logits, &ids, slopes.as_ref(), columns).op("log_softmax")
    }

    fn on_host(
        &self,
        mut logits: Tensor,
        hidden: &Tensor,
        targets: &[usize],
        slopes: Option<&[f32]>,
        columns: &mut Columns,
    ) -> Result<Tensor> {
        let ids: Vec<i64> = targets.iter().map(|&i| self.batch.ids[i]).collect();
        let factors = Factors::of(hidden, &self.model.head())?;
        let operands = factors.as_ref().map(Factors::operands);
        let rows = Rows { temperature: self.options.temperature, ids: &ids, operands, slopes };
        // SAFETY: the logits were just made, for this function alone.
        let answers = unsafe { changed(&mut logits, |logits| rows.read(logits)) }?;
        let column = |part: fn(&Answer) -> f32| Tensor::f_from_slice(&answers.iter().map(part).collect::<Vec<_>>());
        columns.log_probs.push(column(|answer| answer.log_prob).op("log-probs")?);
        if self.options.entropies {
            columns.entropies.push(column(|answer| answer.entropy).op("entropies")?);
        }
        Ok(logits)
    }

    fn on_device(
        &self,
        mut x: Tensor,
        ids: &Tensor,
        slopes: Option<&Tensor>,
        columns: &mut Columns,
    ) -> Result<Tensor, TchError> {
        if self.options.temperature != 1.0 {
            let _ = x.f_mul_scalar_(1.0 / self.options.temperature)?;
        }
        // x is relative to the largest logit of its row from here on: Σ eˣ is between 1 and the vocabulary's size.
        let _ = x.f_sub_(&x.f_amax([-1i64].as_slice(), true)?)?;
        let target = x.f_gather(1, ids, false)?;
        let weighted = match self.options.entropies {
            true => Some(x.f_exp()?.f_mul_(&x)?.f_sum_dim_intlist([-1i64].as_slice(), true, Kind::Float)?),
            false => None,
        };
        let mut exp = x.f_exp_()?;
        let sum = exp.f_sum_dim_intlist([-1i64].as_slice(), true, Kind::Float)?;
        let log_sum = sum.f_log()?;
        columns.log_probs.push(target.f_sub(&log_sum)?.f_squeeze_dim(1)?);
        if let Some(weighted) = weighted {
            columns.entropies.push(log_sum.f_sub(&weighted.f_div(&sum)?)?.f_squeeze_dim(1)?);
        }
        let Some(slopes) = slopes else { return Ok(exp) };
        let slopes = slopes.f_mul_scalar(1.0 / self.options.temperature)?.f_unsqueeze(1)?;
        exp.f_mul_(&slopes.f_neg()?.f_div(&sum)?)?.f_scatter_add_(1, ids, &slopes)
    }
}

/// Log-probs and entropies chunk by chunk; they leave the device once, at the end.
#[derive(Default)]
struct Columns {
    log_probs: Vec<Tensor>,
    entropies: Vec<Tensor>,
}

impl Columns {
    fn finish(self) -> Result<Read> {
        let column = |parts: Vec<Tensor>| match parts.is_empty() {
            true => Ok(Vec::new()),
            false => Tensor::f_cat(&parts, 0).and_then(|t| Vec::<f32>::try_from(&t)),
        };
        Ok(Read {
            log_probs: column(self.log_probs).op("log-probs")?,
            entropies: column(self.entropies).op("entropies")?,
        })
    }
}

/// Where `dᵀh` goes: straight into the weight's gradient in float32, through a float32 sum for narrower kinds, nowhere
/// when the weight is frozen.
enum WeightGradient<'w> {
    Frozen,
    Direct(Tensor),
    Summed { sum: Tensor, weight: &'w Tensor },
}

impl<'w> WeightGradient<'w> {
    fn new(weight: &'w Tensor) -> Result<Self> {
        Ok(match (weight.requires_grad(), weight.kind()) {
            (false, _) => WeightGradient::Frozen,
            (true, Kind::Float) => WeightGradient::Direct(gradient(weight)?),
            (true, _) => {
                let sum = Tensor::f_zeros(weight.size(), (Kind::Float, weight.device())).op("head gradient")?;
                WeightGradient::Summed { sum, weight }
            }
        })
    }

    fn add(&mut self, d: &Tensor, hidden: &Tensor) -> Result<(), TchError> {
        match self {
            WeightGradient::Frozen => {}
            WeightGradient::Direct(grad) => drop(grad.f_addmm_(&d.f_transpose(0, 1)?, hidden)?),
            WeightGradient::Summed { sum, .. } => drop(sum.f_add_(&d.f_transpose(0, 1)?.f_mm(hidden)?)?),
        }
        Ok(())
    }

    fn finish(self) -> Result<()> {
        if let WeightGradient::Summed { sum, weight } = self {
            let mut grad = gradient(weight)?;
            let _ = grad.f_add_(&sum.f_to_kind(grad.kind()).op("head gradient")?).op("head gradient")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::tiny;
    use crate::tokens::{Span, TokenTree};

    #[test]
    fn devices_get_what_the_cpu_gets() {
        for temperature in [1.0, 0.6] {
            let model = Model::init(tiny("qwen3", serde_json::json!({})), 3, Kind::Float, Device::Cpu).unwrap();
            let mut tree = TokenTree::default();
            let segment = tree.push(None, &(0..40).map(|i| i * 7 % 96).collect::<Vec<u32>>()).unwrap();
            tree.target(Span { segment, start: 5, len: 30 }).unwrap();
            let (tree, options) =
                (tree.flatten(), Options { temperature, entropies: true, chunk: 7, ..Options::default() });
            let trees = [&tree];
            let batch = Batch::new(&trees, &model).unwrap();
            let hidden = Tensor::randn([batch.rows.size()[0], 16], (Kind::Float, Device::Cpu));
            let slopes: Vec<f32> = (0..30).map(|i| i as f32 - 9.0).collect();
            let [host, device] = [true, false].map(|on_host| {
                let weight = model.head();
                let _ = gradient(&weight).unwrap().zero_();
                let head = Head { on_host, ..Head::new(&model, &batch, &options, &hidden).unwrap() };
                let (slope, read) = head.backward(&slopes, true).unwrap();
                let again = head.read().unwrap();
                assert_eq!((&again.log_probs, &again.entropies), (&read.log_probs, &read.entropies));
                let columns = [Tensor::from_slice(&read.log_probs), Tensor::from_slice(&read.entropies)];
                let [log_probs, entropies] = columns;
                [slope, weight.grad().copy(), log_probs, entropies]
            });
            for (a, b) in host.iter().zip(&device) {
                assert!(a.allclose(b, 1e-4, 1e-4, false), "{}", (a - b).abs().max());
            }
            assert!(host[1].abs().max().double_value(&[]) > 1.0);
        }
    }
}

//! The pass itself: trees through the model, targets through the head, and the gradient the same way back.
//!
//! Autograd covers the layers only. The head has its gradient in closed form (`head.rs`). The embedding's is added
//! row by row: autograd would make a table of the size of the vocabulary for it.

use tch::{Kind, Tensor};

use super::attention::attention;
use super::batch::Batch;
use super::head::{Head, Read, gradient};
use super::{Options, TargetLogProbs};
use crate::error::{Error, Result, TensorResult};
use crate::model::{Attention, Model};
use crate::tokens::FlatTree;

/// Log-probs of all targets of the trees, in one pass and without gradients; one entry a tree, each in the order of
/// [`FlatTree::edges`].
///
/// # Errors
/// [`Error::Usage`] for tokens outside the vocabulary or options that make no sense; [`Error::Tensor`] from libtorch.
pub fn log_probs(model: &Model, trees: &[&FlatTree], options: &Options) -> Result<Vec<TargetLogProbs>> {
    let batch = Batch::new(trees, model)?;
    let mut attention = attention(&batch, options.attention, model.device())?;
    let hidden = tch::no_grad(|| {
        model.hidden_rows(&model.embed(&batch.tokens)?, &batch.positions, attention.as_mut(), &batch.rows)
    })?;
    Ok(by_tree(&batch, Head::new(model, &batch, options, &hidden)?.read()?))
}

/// From the log-probs of all trees to the derivative of the loss by each of them, in the same shape.
pub type Slopes<'s> = dyn FnMut(&[TargetLogProbs]) -> Result<Vec<Vec<f32>>> + 's;

/// One pass with gradients. `objective` gets the log-probs of all trees and returns the derivative of the loss by each of
/// them, in the same shape; the gradient of the loss is added to the trainable parameters. Returns the log-probs.
///
/// The head runs twice. Where the derivatives do not depend on the log-probs, [`backward_weighted`] runs it once.
///
/// # Errors
/// As [`log_probs`]; what `objective` returns; [`Error::Usage`] when its answer has another shape.
pub fn backward(
    model: &Model,
    trees: &[&FlatTree],
    options: &Options,
    objective: &mut Slopes<'_>,
) -> Result<Vec<TargetLogProbs>> {
    let batch = Batch::new(trees, model)?;
    let mut out = Vec::new();
    differentiate(model, &batch, options, &mut |head| {
        out = by_tree(&batch, head.read()?);
        let slopes = batch.flat(&objective(&out)?, "the objective's derivatives")?;
        Ok(head.backward(&slopes, false)?.0)
    })?;
    Ok(out)
}

/// One pass with the gradient of `−Σ weight · log p` over all targets: `weights` has one entry a tree, in the order of
/// its edges. Returns the log-probs.
///
/// # Errors
/// As [`log_probs`]; [`Error::Usage`] when `weights` has another shape than the targets.
pub fn backward_weighted(
    model: &Model,
    trees: &[&FlatTree],
    weights: &[Vec<f32>],
    options: &Options,
) -> Result<Vec<TargetLogProbs>> {
    let batch = Batch::new(trees, model)?;
    let slopes: Vec<f32> = batch.flat(weights, "weights")?.into_iter().map(|w| -w).collect();
    let mut read = Read::default();
    differentiate(model, &batch, options, &mut |head| {
        let (gradient, columns) = head.backward(&slopes, true)?;
        read = columns;
        Ok(gradient)
    })?;
    Ok(by_tree(&batch, read))
}

fn by_tree(batch: &Batch, read: Read) -> Vec<TargetLogProbs> {
    let entropies = batch.by_tree(&read.entropies);
    let log_probs = batch.by_tree(&read.log_probs);
    log_probs.into_iter().zip(entropies).map(|(log_probs, entropies)| TargetLogProbs { log_probs, entropies }).collect()
}

/// What turns the head into `∂loss/∂hidden` `[R, D]`.
type Loss<'l> = dyn FnMut(&Head) -> Result<Tensor> + 'l;

/// Runs the model, asks `loss` for the gradient of the hidden states, and takes it back to the parameters.
fn differentiate(model: &Model, batch: &Batch, options: &Options, loss: &mut Loss) -> Result<()> {
    let trainable = model.trainable();
    if trainable.is_empty() {
        return Err(Error::Usage("nothing in the model is trainable; add adapters or unfreeze it".into()));
    }
    let mut attention = attention(batch, options.attention, model.device())?;
    let embedded = tch::no_grad(|| model.embed(&batch.tokens))?;
    let first = match options.recompute {
        false => through_at_once(model, batch, options, embedded, attention.as_mut(), loss)?,
        true => layer_by_layer(model, batch, options, embedded, attention.as_mut(), loss)?,
    };
    // The embedding's share: the rows that were looked up.
    let table = model.embedding();
    if table.requires_grad() && batch.targets() > 0 {
        let mut grad = gradient(table)?;
        let _ = tch::no_grad(|| grad.f_index_add_(0, &batch.tokens, &first)).op("embedding gradient")?;
    }
    Ok(())
}

/// A tensor that autograd computes a gradient for.
fn leaf(x: &Tensor) -> Result<Tensor> {
    x.f_detach().and_then(|t| t.f_set_requires_grad(true)).op("leaf")
}

/// Takes `gradient` back from `y` to all leaves below it.
fn pull(y: &Tensor, gradient: &Tensor) -> Result<()> {
    // The derivative of Σ y·g by y is g; there is no call that takes g itself.
    y.f_mul(gradient).and_then(|t| t.f_sum(Kind::Float)?.f_backward()).op("backward")
}

/// The whole graph at once. Returns the gradient of the embedded tokens.
fn through_at_once(
    model: &Model,
    batch: &Batch,
    options: &Options,
    embedded: Tensor,
    attention: &mut dyn Attention,
    loss: &mut Loss,
) -> Result<Tensor> {
    let x = leaf(&embedded)?;
    let hidden = model.hidden_rows(&x, &batch.positions, attention, &batch.rows)?;
    let slope = loss(&Head::new(model, batch, options, &hidden)?)?;
    if batch.targets() > 0 {
        pull(&hidden, &slope)?;
    }
    x.f_grad().op("backward")
}

/// One layer's graph at a time: forward without graphs, keeping each layer's input, then back layer by layer.
fn layer_by_layer(
    model: &Model,
    batch: &Batch,
    options: &Options,
    embedded: Tensor,
    attention: &mut dyn Attention,
    loss: &mut Loss,
) -> Result<Tensor> {
    let rotation = model.rotation(&batch.positions)?;
    let last = model.layers() - 1;
    let mut inputs = vec![leaf(&embedded)?];
    for index in 0..last {
        let x = tch::no_grad(|| model.layer(index, &inputs[index], &rotation, attention, None))?;
        inputs.push(leaf(&x)?);
    }
    let hidden = model.last(&inputs[last], &rotation, attention, &batch.rows)?;
    let slope = loss(&Head::new(model, batch, options, &hidden)?)?;
    if batch.targets() > 0 {
        pull(&hidden, &slope)?;
        drop(hidden);
        for index in (0..last).rev() {
            let above = inputs.pop().map(|x| x.f_grad()).transpose().op("backward")?;
            let y = model.layer(index, &inputs[index], &rotation, attention, None)?;
            if let Some(gradient) = above {
                pull(&y, &gradient)?;
            }
        }
    }
    inputs[0].f_grad().op("backward")
}

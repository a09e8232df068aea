//! The pass itself: trees through the model, targets through the head, and the gradient the same way back.
//!
//! The layers go forward without a graph and back one by one (`model/backward.rs`). The head has its gradient in closed form
//! (`head.rs`). The embedding's is added row by row: autograd would make a table of the size of the vocabulary for it.

use tch::Tensor;

use super::attention::{attention, reading};
use super::batch::Batch;
use super::head::{Head, Read};
use super::{Options, TargetLogProbs};
use crate::error::{Error, Result, TensorResult};
use crate::model::{Model, Tape, gradient};
use crate::tokens::FlatTree;

/// Log-probs of all targets of the trees, in one pass and without gradients; one entry a tree, each in the order of
/// [`FlatTree::edges`].
///
/// # Errors
/// [`Error::Usage`] for tokens outside the vocabulary or options that make no sense; [`Error::Tensor`] from libtorch.
pub fn log_probs(model: &Model, trees: &[&FlatTree], options: &Options) -> Result<Vec<TargetLogProbs>> {
    let batch = Batch::new(trees, model)?;
    let mut attention = reading(&batch, options.attention, model)?;
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
    let first = tch::no_grad(|| there_and_back(model, batch, options, loss))?;
    // The embedding's share: the rows that were looked up.
    let table = model.embedding();
    if let (true, Some(first)) = (table.requires_grad(), first) {
        let mut grad = gradient(table)?;
        let _ = tch::no_grad(|| grad.f_index_add_(0, &batch.tokens, &first)).op("embedding gradient")?;
    }
    Ok(())
}

/// What is kept of a layer for the way back.
enum Kept {
    Tape(Tape),
    /// Only its input: the rest is computed again.
    Input(Tensor),
}

/// Forward without a graph, then back layer by layer. Returns the gradient of the embedded tokens; none where no target asks
/// for one.
fn there_and_back(model: &Model, batch: &Batch, options: &Options, loss: &mut Loss) -> Result<Option<Tensor>> {
    let rotation = model.rotation(&batch.positions)?;
    let mut reading = reading(batch, options.attention, model)?;
    let last = model.layers() - 1;
    let rows = |index: usize| (index == last).then_some(&batch.rows);
    let mut x = model.embed(&batch.tokens)?;
    let mut kept = Vec::with_capacity(model.layers());
    for index in 0..=last {
        let (y, tape) = model.layer(index, &x, &rotation, reading.as_mut(), rows(index))?;
        kept.push(if options.recompute && index < last { Kept::Input(x) } else { Kept::Tape(tape) });
        x = y;
    }
    let hidden = model.final_norm(&x, reading.wants_gradient())?;
    let slope = loss(&Head::new(model, batch, options, &hidden)?)?;
    if batch.targets() == 0 {
        return Ok(None);
    }
    let mut attention = attention(batch, options.attention, model.device())?;
    let mut gradient = model.final_norm_backward(&x, &slope)?;
    while let Some(layer) = kept.pop() {
        let index = kept.len();
        let tape = match layer {
            Kept::Tape(tape) => tape,
            Kept::Input(x) => model.layer(index, &x, &rotation, reading.as_mut(), rows(index))?.1,
        };
        gradient = model.layer_backward(index, tape, &rotation, attention.as_mut(), rows(index), &gradient)?;
    }
    Ok(Some(gradient))
}

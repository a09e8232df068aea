//! The trees of one pass as tensors: tokens, positions, and which rows the targets are read from.

use tch::{Device, Tensor};

use crate::error::{Error, Result, TensorResult};
use crate::model::Model;
use crate::tokens::FlatTree;

/// One pass.
pub(super) struct Batch<'t> {
    pub(super) trees: &'t [&'t FlatTree],
    /// `[T]` i64.
    pub(super) tokens: Tensor,
    /// `[T]` i64.
    pub(super) positions: Tensor,
    /// The tokens that some target is read from, ascending, each once: `[R]` i64.
    pub(super) rows: Tensor,
    /// For each target, in the order of trees and edges, its place in `rows`.
    pub(super) row_of: Vec<i64>,
    /// For each target, the token that it asks for.
    pub(super) ids: Vec<i64>,
}

impl<'t> Batch<'t> {
    pub(super) fn new(trees: &'t [&'t FlatTree], model: &Model) -> Result<Batch<'t>> {
        let vocab = model.config().vocab_size;
        let total: usize = trees.iter().map(|t| t.tokens.len()).sum();
        if total == 0 {
            return Err(Error::Usage("a forest pass needs at least one token".into()));
        }
        let mut tokens: Vec<i64> = Vec::with_capacity(total);
        let mut positions: Vec<i64> = Vec::with_capacity(total);
        let (mut parents, mut ids) = (Vec::new(), Vec::new());
        for (number, tree) in trees.iter().enumerate() {
            check(tree, number, vocab)?;
            let offset = tokens.len();
            tokens.extend(tree.tokens.iter().map(|&t| i64::from(t)));
            positions.extend(tree.positions.iter().map(|&p| p as i64));
            parents.extend(tree.edges.iter().map(|e| offset + e.parent));
            ids.extend(tree.edges.iter().map(|e| tokens[offset + e.child]));
        }
        let mut rows: Vec<i64> = Vec::new();
        let mut place = vec![-1; total];
        let mut wanted = vec![false; total];
        parents.iter().for_each(|&p| wanted[p] = true);
        for token in (0..total).filter(|&t| wanted[t]) {
            place[token] = rows.len() as i64;
            rows.push(token as i64);
        }
        let device = model.device();
        Ok(Batch {
            trees,
            tokens: on(device, &tokens)?,
            positions: on(device, &positions)?,
            rows: on(device, &rows)?,
            row_of: parents.iter().map(|&p| place[p]).collect(),
            ids,
        })
    }

    /// Number of targets.
    pub(super) fn targets(&self) -> usize {
        self.ids.len()
    }

    /// Cuts one value a target into one vector a tree.
    pub(super) fn by_tree(&self, flat: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = flat.iter().copied();
        self.trees.iter().map(|tree| rest.by_ref().take(tree.edges.len()).collect()).collect()
    }

    /// One vector a tree as one value a target.
    pub(super) fn flat(&self, values: &[Vec<f32>], what: &str) -> Result<Vec<f32>> {
        let have: Vec<usize> = values.iter().map(Vec::len).collect();
        let want: Vec<usize> = self.trees.iter().map(|t| t.edges.len()).collect();
        if have != want {
            return Err(Error::Usage(format!("{what}: {have:?} values for trees that have {want:?} targets")));
        }
        Ok(values.concat())
    }
}

/// A vector on a device.
pub(super) fn on<T: tch::kind::Element>(device: Device, values: &[T]) -> Result<Tensor> {
    Tensor::f_from_slice(values).and_then(|t| t.f_to_device(device)).op("batch")
}

/// Whether a tree is what [`crate::tokens::TokenTree::flatten`] makes, as far as indexing relies on it.
fn check(tree: &FlatTree, number: usize, vocab: i64) -> Result<()> {
    if let Some(token) = tree.tokens.iter().find(|&&t| i64::from(t) >= vocab) {
        let message = format!("tree {number}: token {token} is outside the model's vocabulary of {vocab}");
        return Err(Error::Usage(message + "; tokenizer and model do not belong together"));
    }
    let len = tree.tokens.len();
    let mut end = 0;
    let in_order = tree.segments.iter().enumerate().all(|(i, s)| {
        let follows = s.start == end && s.parent.is_none_or(|p| p < i);
        end = s.start + s.len;
        follows
    });
    let inside = tree.edges.iter().all(|e| e.parent < len && e.child < len);
    match in_order && end == len && inside && tree.positions.len() == len && tree.end.len() == len {
        true => Ok(()),
        false => Err(Error::Usage(format!("tree {number} is not a flattened token tree"))),
    }
}

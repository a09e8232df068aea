//! The visibility rule of a forest as attention: cut into pieces, or as one mask.
//!
//! A CPU kernel takes a mask but computes what it hides, so a mask over the whole pass costs the square of its length.
//! [`Cut`] follows the shape of the trees instead. A run is a stretch of a tree without a branch. The run at the root
//! attends to itself, causally and without a mask: that is all there is in a chain. Any other run attends to its path to
//! the root, all of it, and to itself causally; only there is a mask needed, of the run's length by the path's.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use tch::{Device, Kind, Tensor};

use super::batch::Batch;
use crate::attend::{Layout, Piece, Store, attend_each};
use crate::error::{Result, TensorResult};
use crate::model::{Attention, Model, scaled_dot_product};
use crate::numbers::{Numbers, filled};
use crate::tokens::FlatTree;

/// A stretch of tokens without a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    len: usize,
    /// The runs from the root to this one, itself excluded.
    path: Vec<usize>,
    /// Number of tokens in the path.
    before: usize,
}

/// Attention over a forest, tree by tree and run by run.
#[derive(Debug)]
pub(super) struct Cut {
    runs: Vec<Run>,
    lengths: Vec<i64>,
    /// By length of run and path. Layers, and runs of equal shape, share them.
    masks: HashMap<(usize, usize), Tensor>,
}

impl Cut {
    /// For the given trees, laid end to end.
    pub(super) fn new(trees: &[&FlatTree]) -> Cut {
        let runs = runs(trees);
        let lengths = runs.iter().map(|r| r.len as i64).collect();
        Cut { runs, lengths, masks: HashMap::new() }
    }
}

/// The runs of all trees.
fn runs(trees: &[&FlatTree]) -> Vec<Run> {
    let mut runs = Vec::new();
    for tree in trees {
        add_runs(tree, &mut runs);
    }
    runs
}

/// Adds the runs of one tree: segments, joined with their parent where it has no other child.
fn add_runs(tree: &FlatTree, runs: &mut Vec<Run>) {
    let mut children = vec![0usize; tree.segments.len()];
    for parent in tree.segments.iter().filter_map(|s| s.parent) {
        children[parent] += 1;
    }
    let mut run_of: Vec<usize> = Vec::with_capacity(tree.segments.len());
    for segment in &tree.segments {
        let parent = segment.parent.map(|p| (children[p], run_of[p]));
        let run = match parent {
            // The only child follows its parent directly in depth-first order.
            Some((1, run)) => {
                runs[run].len += segment.len;
                run
            }
            Some((_, up)) => {
                let path: Vec<usize> = runs[up].path.iter().copied().chain([up]).collect();
                let before = path.iter().map(|&r| runs[r].len).sum();
                runs.push(Run { len: segment.len, path, before });
                runs.len() - 1
            }
            None => {
                runs.push(Run { len: segment.len, path: Vec::new(), before: 0 });
                runs.len() - 1
            }
        };
        run_of.push(run);
    }
}

impl Attention for Cut {
    fn attend(&mut self, _layer: usize, q: Tensor, k: Tensor, v: Tensor) -> Result<Tensor> {
        if let [_] = self.runs.as_slice() {
            return scaled_dot_product(&q, &k, &v, None, true);
        }
        // A split, not narrow: the gradient of all pieces together is then one concatenation.
        let split = |t: &Tensor| t.f_split_with_sizes(&self.lengths, 0).op("cut");
        let (qs, ks, vs) = (split(&q)?, split(&k)?, split(&v)?);
        let mut pieces = Vec::with_capacity(self.runs.len());
        for (i, run) in self.runs.iter().enumerate() {
            if run.path.is_empty() {
                pieces.push(scaled_dot_product(&qs[i], &ks[i], &vs[i], None, true)?);
                continue;
            }
            let path = |t: &[Tensor]| {
                let parts: Vec<&Tensor> = run.path.iter().chain([&i]).map(|&r| &t[r]).collect();
                Tensor::f_cat(&parts, 0).op("path")
            };
            let mask = match self.masks.entry((run.len, run.before)) {
                Entry::Occupied(mask) => mask.into_mut(),
                Entry::Vacant(place) => place.insert(staircase(run.len, run.before, q.kind(), q.device())?),
            };
            pieces.push(scaled_dot_product(&qs[i], &path(&ks)?, &path(&vs)?, Some(mask), false)?);
        }
        Tensor::f_cat(&pieces, 0).op("cut")
    }
}

/// `[len, before + len]`: 0 where key j is at most `before` + the query's row, −∞ elsewhere.
fn staircase(len: usize, before: usize, kind: Kind, device: Device) -> Result<Tensor> {
    let shape = [len as i64, (before + len) as i64];
    Tensor::f_full(shape, f64::NEG_INFINITY, (kind, device)).and_then(|t| t.f_triu(before as i64 + 1)).op("mask")
}

/// [`Cut`] token by token, by the loops that decoding uses, without a graph: a token has the numbers to the bit that it had
/// when it was drawn. For float32 on the CPU.
#[derive(Debug)]
pub(super) struct Chains {
    runs: Vec<Run>,
}

impl Chains {
    /// For the given trees, laid end to end.
    pub(super) fn new(trees: &[&FlatTree]) -> Chains {
        Chains { runs: runs(trees) }
    }
}

impl Attention for Chains {
    fn wants_gradient(&self) -> bool {
        false
    }

    fn attend(&mut self, _layer: usize, q: Tensor, k: Tensor, v: Tensor) -> Result<Tensor> {
        let ((_, heads, head_dim), (_, kv_heads, _)) = (q.size3().op("attention")?, k.size3().op("attention")?);
        let [heads, kv_heads, head_dim] = [heads, kv_heads, head_dim].map(|n| n as usize);
        let layout = Layout { layers: 1, heads, kv_heads, head_dim };
        let (queries, keys, values) = (Numbers::of(&q)?, Numbers::of(&k)?, Numbers::of(&v)?);
        let mut at = 0;
        let mut stores = Vec::with_capacity(self.runs.len());
        for run in &self.runs {
            let part = at * layout.width()..(at + run.len) * layout.width();
            let mut store = Store::new(layout);
            store.write(0, 0, &keys[part.clone()], &values[part]);
            stores.push(store);
            at += run.len;
        }
        filled(&q.size(), |out| {
            let (mut q, mut out) = (&*queries, out);
            let mut pieces = Vec::with_capacity(self.runs.len());
            for (run, store) in self.runs.iter().zip(&stores) {
                let numbers = run.len * heads * head_dim;
                let (own_q, later) = q.split_at(numbers);
                let (own_out, behind) = std::mem::take(&mut out).split_at_mut(numbers);
                let path = run.path.iter().map(|&up| stores[up].run(0, self.runs[up].len));
                pieces.push(Piece { q: own_q, chain: path.chain([store.run(0, run.len)]).collect(), out: own_out });
                (q, out) = (later, behind);
            }
            attend_each(&layout, pieces);
            Ok(())
        })
    }
}

/// Attention over a forest with one boolean mask `[T, T]` straight from the rule `j <= i < end[j]`. Slow and simple: what
/// [`Cut`] is tested against.
#[derive(Debug)]
pub(super) struct Dense {
    mask: Tensor,
}

impl Dense {
    /// For the given trees, laid end to end, on the given device.
    ///
    /// # Errors
    /// When libtorch refuses, out of memory for instance.
    pub(super) fn new(trees: &[&FlatTree], device: Device) -> Result<Dense> {
        let mut ends = Vec::new();
        for tree in trees {
            let offset = ends.len();
            ends.extend(tree.end.iter().map(|&end| (offset + end) as i64));
        }
        let mask = || {
            let at = Tensor::f_arange(ends.len() as i64, (Kind::Int64, device))?;
            let ends = Tensor::f_from_slice(&ends)?.f_to_device(device)?;
            let rows = at.f_unsqueeze(1)?;
            rows.f_ge_tensor(&at)?.f_logical_and(&rows.f_lt_tensor(&ends)?)
        };
        Ok(Dense { mask: mask().op("mask")? })
    }
}

impl Attention for Dense {
    fn attend(&mut self, _layer: usize, q: Tensor, k: Tensor, v: Tensor) -> Result<Tensor> {
        scaled_dot_product(&q, &k, &v, Some(&self.mask), false)
    }
}

/// The attention that the options ask for, with a graph.
pub(super) fn attention(batch: &Batch, kind: super::AttentionKind, device: Device) -> Result<Box<dyn Attention>> {
    Ok(match kind {
        super::AttentionKind::Cut => Box::new(Cut::new(batch.trees)),
        super::AttentionKind::Dense => Box::new(Dense::new(batch.trees, device)?),
    })
}

/// The same without a graph.
pub(super) fn reading(batch: &Batch, kind: super::AttentionKind, model: &Model) -> Result<Box<dyn Attention>> {
    match (kind, model.dtype(), model.device()) {
        (super::AttentionKind::Cut, Kind::Float, Device::Cpu) => Ok(Box::new(Chains::new(batch.trees))),
        _ => attention(batch, kind, model.device()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::TokenTree;

    #[test]
    fn segments_without_a_branch_are_one_run() {
        let mut tree = TokenTree::default();
        let a = tree.push(None, &[1, 2]).unwrap();
        let b = tree.push(Some(a), &[3]).unwrap();
        let c = tree.push(Some(b), &[4, 5]).unwrap();
        tree.push(Some(b), &[6]).unwrap();
        let d = tree.push(Some(c), &[7]).unwrap();
        tree.push(Some(d), &[8]).unwrap();
        let cut = Cut::new(&[&TokenTree::chain(&[1, 2], &[]).unwrap().flatten(), &tree.flatten()]);
        let run = |len, path: &[usize], before| Run { len, path: path.to_vec(), before };
        assert_eq!(cut.runs, [run(2, &[], 0), run(3, &[], 0), run(4, &[1], 3), run(1, &[1], 3)]);
    }
}

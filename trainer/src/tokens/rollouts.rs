//! [`RolloutTree`]: one prefix and G branches that grow turn by turn.
//!
//! What was drawn is a target, token for token as it was drawn; what the grader answered is not. A branch is a chain of
//! segments, one a run, so its spans are its submissions in order.

use super::tree::{SegmentId, Span, TokenTree};
use crate::error::{Error, Result};

/// A prefix with branches. Branches are numbered from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutTree {
    tree: TokenTree,
    root: SegmentId,
    ends: Vec<SegmentId>,
    spans: Vec<Vec<usize>>,
}

impl RolloutTree {
    /// A tree of the prompt alone, with `branches` branches still to grow.
    ///
    /// # Errors
    /// [`Error::Usage`] when the prompt is empty.
    pub fn new(prompt: &[u32], branches: usize) -> Result<Self> {
        let mut tree = TokenTree::default();
        let root = tree.push(None, prompt)?;
        Ok(RolloutTree { tree, root, ends: vec![root; branches], spans: vec![Vec::new(); branches] })
    }

    /// Appends what was drawn for `branch`, the stop token included if it was drawn. Returns the index of its span among
    /// the tree's.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such branch or nothing was drawn.
    pub fn submit(&mut self, branch: usize, drawn: &[u32]) -> Result<usize> {
        let segment = self.append(branch, drawn)?;
        let index = self.tree.spans().len();
        self.tree.target(Span { segment, start: 0, len: drawn.len() })?;
        if let Some(spans) = self.spans.get_mut(branch) {
            spans.push(index);
        }
        Ok(index)
    }

    /// Appends tokens that carry no loss: the grader's answer and the header of the next submission.
    ///
    /// # Errors
    /// [`Error::Usage`] when there is no such branch or no token.
    pub fn tell(&mut self, branch: usize, tokens: &[u32]) -> Result<()> {
        self.append(branch, tokens).map(|_| ())
    }

    fn append(&mut self, branch: usize, tokens: &[u32]) -> Result<SegmentId> {
        let branches = self.ends.len();
        let end = self
            .ends
            .get_mut(branch)
            .ok_or_else(|| Error::Usage(format!("branch {branch} of a rollout tree that has {branches} branches")))?;
        let segment = self.tree.push(Some(*end), tokens)?;
        *end = segment;
        Ok(segment)
    }

    /// The tokens of `branch` from the root on: what a model that only knew this branch would see. The prompt alone when it
    /// has not grown or there is no such branch.
    pub fn row(&self, branch: usize) -> Vec<u32> {
        self.tree.path(self.ends.get(branch).copied().unwrap_or(self.root))
    }

    /// The spans of `branch`, its submissions in order.
    pub fn spans(&self, branch: usize) -> &[usize] {
        self.spans.get(branch).map_or(&[], Vec::as_slice)
    }

    /// The tree.
    pub fn tree(&self) -> &TokenTree {
        &self.tree
    }

    /// The tree, to keep.
    pub fn into_tree(self) -> TokenTree {
        self.tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branches_grow_apart_and_only_what_was_drawn_is_a_target() {
        let mut r = RolloutTree::new(&[1, 2, 3], 3).unwrap();
        assert_eq!(r.submit(1, &[10, 11]).unwrap(), 0);
        assert_eq!(r.submit(0, &[20]).unwrap(), 1);
        r.tell(1, &[12, 13]).unwrap();
        assert_eq!(r.submit(1, &[14]).unwrap(), 2);
        assert_eq!(r.row(1), [1, 2, 3, 10, 11, 12, 13, 14]);
        assert_eq!(r.row(0), [1, 2, 3, 20]);
        assert_eq!(r.row(2), [1, 2, 3]);
        assert_eq!((r.spans(0), r.spans(1), r.spans(2)), (&[1][..], &[0, 2][..], &[][..]));
        let flat = r.tree().flatten();
        let targets: Vec<u32> = flat.edges.iter().map(|e| flat.tokens[e.child]).collect();
        assert_eq!(targets, [10, 11, 20, 14]);
        let parents: Vec<u32> = flat.edges.iter().map(|e| flat.tokens[e.parent]).collect();
        assert_eq!(parents, [3, 10, 3, 13]);
    }

    #[test]
    fn nothing_drawn_and_unknown_branches_are_refused() {
        let mut r = RolloutTree::new(&[1], 1).unwrap();
        assert!(r.submit(0, &[]).is_err());
        assert!(r.tell(1, &[5]).unwrap_err().to_string().contains("branch 1"));
        assert!(RolloutTree::new(&[], 2).is_err());
        assert_eq!(r.into_tree().len(), 1);
    }
}

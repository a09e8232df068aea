//! [`TokenTree`]: the one structure that every stage trains on and samples into.
//!
//! A tree is made of segments, runs of tokens without a branch. A trajectory is a chain of segments, a preference pair a
//! prefix with two segments behind it, a rollout group a prefix with G branches that grow turn by turn. The tokens that
//! carry a loss are named by [`Span`]s; the log-prob of such a token is read from its parent's hidden state.
//!
//! [`TokenTree::flatten`] lays a tree out in depth-first order, in which token j is visible to token i exactly when
//! `j <= i && i < end[j]`, with `end[j]` the end of j's subtree. The position of a token is its depth.

use crate::error::{Error, Result};
use std::ops::Range;

/// A segment of one tree, in order of insertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SegmentId(pub usize);

/// A run of target tokens inside one segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The segment.
    pub segment: SegmentId,
    /// Offset of the first target token in the segment.
    pub start: usize,
    /// Number of target tokens.
    pub len: usize,
}

#[derive(Debug, Clone, PartialEq)]
struct Segment {
    parent: Option<SegmentId>,
    tokens: Vec<u32>,
    children: Vec<SegmentId>,
}

/// A tree of tokens, built by appending; see the module's text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenTree {
    segments: Vec<Segment>,
    spans: Vec<Span>,
}

impl TokenTree {
    /// A tree that is one chain, with the given spans (offset, length) as targets.
    ///
    /// # Errors
    /// As [`TokenTree::target`].
    pub fn chain(tokens: &[u32], spans: &[(usize, usize)]) -> Result<Self> {
        let mut tree = TokenTree::default();
        let root = tree.push(None, tokens)?;
        for &(start, len) in spans {
            tree.target(Span { segment: root, start, len })?;
        }
        Ok(tree)
    }

    /// Adds a segment behind the last token of `parent` (`None`: at the root).
    ///
    /// # Errors
    /// When `parent` is not a segment of this tree, `tokens` is empty, or a second root is added.
    pub fn push(&mut self, parent: Option<SegmentId>, tokens: &[u32]) -> Result<SegmentId> {
        let id = SegmentId(self.segments.len());
        if tokens.is_empty() {
            return Err(Error::Usage("a segment of a token tree needs at least one token".into()));
        }
        match parent {
            Some(p) => match self.segments.get_mut(p.0) {
                Some(segment) => segment.children.push(id),
                None => return Err(Error::Usage(format!("segment {} is not in the tree", p.0))),
            },
            None if id.0 > 0 => return Err(Error::Usage("a token tree has one root".into())),
            None => {}
        }
        self.segments.push(Segment { parent, tokens: tokens.to_vec(), children: Vec::new() });
        Ok(id)
    }

    /// Declares a run of tokens to be targets, in the order in which their log-probs are wanted.
    ///
    /// # Errors
    /// When the run is not inside its segment, or names the root token, which has no parent to be predicted from.
    pub fn target(&mut self, span: Span) -> Result<()> {
        let segment = self.segments.get(span.segment.0);
        let inside = segment.is_some_and(|s| span.len > 0 && span.start.saturating_add(span.len) <= s.tokens.len());
        if !inside {
            return Err(Error::Usage(format!("{span:?} is outside its segment")));
        }
        if span.start == 0 && segment.is_some_and(|s| s.parent.is_none()) {
            return Err(Error::Usage("the first token of a tree cannot be a target".into()));
        }
        self.spans.push(span);
        Ok(())
    }

    /// The targets, in the order in which they were declared.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Number of target tokens over all spans.
    pub fn targets(&self) -> usize {
        self.spans.iter().map(|s| s.len).sum()
    }

    /// Where the log-probs of each span are among [`FlatTree::edges`], in the order of the spans.
    pub fn edge_ranges(&self) -> Vec<Range<usize>> {
        let mut end = 0;
        let range = |span: &Span| {
            let start = end;
            end += span.len;
            start..end
        };
        self.spans.iter().map(range).collect()
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.segments.iter().map(|s| s.tokens.len()).sum()
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// The tokens from the root to the end of `segment`.
    pub fn path(&self, segment: SegmentId) -> Vec<u32> {
        let mut chain = Vec::new();
        let mut at = self.segments.get(segment.0);
        while let Some(s) = at {
            chain.push(&s.tokens);
            at = s.parent.and_then(|p| self.segments.get(p.0));
        }
        chain.into_iter().rev().flatten().copied().collect()
    }

    /// The depth-first layout.
    pub fn flatten(&self) -> FlatTree {
        let mut flat = FlatTree::default();
        let mut start_of = vec![0; self.segments.len()];
        let mut flat_index = vec![0; self.segments.len()];
        // Depth-first without recursion: a tree can be as deep as a conversation is long.
        let mut stack: Vec<(SegmentId, bool)> =
            self.segments.first().map(|_| (SegmentId(0), false)).into_iter().collect();
        while let Some((id, leaving)) = stack.pop() {
            let Some(segment) = self.segments.get(id.0) else { continue };
            if leaving {
                let (start, end) = (start_of[id.0], flat.tokens.len());
                flat.end[start..start + segment.tokens.len()].fill(end);
                continue;
            }
            let start = flat.tokens.len();
            start_of[id.0] = start;
            flat_index[id.0] = flat.segments.len();
            let parent = segment.parent.map(|p| flat_index[p.0]);
            let depth = parent.map_or(0, |p| {
                let FlatSegment { start, len, .. } = flat.segments[p];
                flat.positions[start + len - 1] + 1
            });
            flat.segments.push(FlatSegment { parent, start, len: segment.tokens.len() });
            flat.tokens.extend_from_slice(&segment.tokens);
            flat.positions.extend((0..segment.tokens.len()).map(|i| depth + i));
            flat.end.resize(flat.tokens.len(), 0);
            stack.push((id, true));
            stack.extend(segment.children.iter().rev().map(|&c| (c, false)));
        }
        for span in &self.spans {
            let segment = flat.segments[flat_index[span.segment.0]];
            for child in segment.start + span.start..segment.start + span.start + span.len {
                let parent = if child > segment.start {
                    child - 1
                } else {
                    // A target at the start of a segment is never at the root: `target` refuses that.
                    segment.parent.map_or(0, |p| flat.segments[p].start + flat.segments[p].len - 1)
                };
                flat.edges.push(Edge { parent, child });
            }
        }
        flat
    }
}

/// A segment in the depth-first layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlatSegment {
    /// Index of the parent among [`FlatTree::segments`]; always smaller than the segment's own.
    pub parent: Option<usize>,
    /// First token.
    pub start: usize,
    /// Number of tokens.
    pub len: usize,
}

/// A target: the log-prob of token `child` read from the hidden state at `parent`. Indices into the flat layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Where the hidden state is read.
    pub parent: usize,
    /// The token whose log-prob is wanted.
    pub child: usize,
}

/// A tree in depth-first order. All vectors but `segments` and `edges` have one entry a token.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlatTree {
    /// Token ids.
    pub tokens: Vec<u32>,
    /// Depth of each token: the position that it would have in a row of its own.
    pub positions: Vec<usize>,
    /// `end[j]`: one past the last token of j's subtree.
    pub end: Vec<usize>,
    /// The segments, parents first, covering the tokens in order.
    pub segments: Vec<FlatSegment>,
    /// The targets, span by span.
    pub edges: Vec<Edge>,
}

impl FlatTree {
    /// The visibility rule: may token `i` attend to token `j`?
    pub fn visible(&self, i: usize, j: usize) -> bool {
        j <= i && self.end.get(j).is_some_and(|&end| i < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> TokenTree {
        let mut t = TokenTree::default();
        let root = t.push(None, &[10, 11]).unwrap();
        let a = t.push(Some(root), &[20, 21]).unwrap();
        let b = t.push(Some(root), &[30]).unwrap();
        let c = t.push(Some(a), &[40]).unwrap();
        t.target(Span { segment: b, start: 0, len: 1 }).unwrap();
        t.target(Span { segment: c, start: 0, len: 1 }).unwrap();
        t.target(Span { segment: a, start: 0, len: 2 }).unwrap();
        t
    }

    #[test]
    fn layout_is_depth_first() {
        let flat = sample().flatten();
        assert_eq!(flat.tokens, [10, 11, 20, 21, 40, 30]);
        assert_eq!(flat.positions, [0, 1, 2, 3, 4, 2]);
        assert_eq!(flat.end, [6, 6, 5, 5, 5, 6]);
        let pairs: Vec<_> = flat.edges.iter().map(|e| (e.parent, e.child)).collect();
        assert_eq!(pairs, [(1, 5), (3, 4), (1, 2), (2, 3)]);
    }

    #[test]
    fn visibility_is_ancestry() {
        let flat = sample().flatten();
        let seen = |i: usize| (0..6).filter(|&j| flat.visible(i, j)).collect::<Vec<_>>();
        assert_eq!(seen(4), [0, 1, 2, 3, 4]);
        assert_eq!(seen(5), [0, 1, 5]);
    }

    #[test]
    fn the_path_of_a_leaf_is_its_row() {
        assert_eq!(sample().path(SegmentId(3)), [10, 11, 20, 21, 40]);
    }

    #[test]
    fn impossible_targets_are_refused() {
        let mut t = sample();
        assert!(t.target(Span { segment: SegmentId(0), start: 0, len: 1 }).is_err());
        assert!(t.target(Span { segment: SegmentId(0), start: 1, len: 1 }).is_ok());
        assert!(t.target(Span { segment: SegmentId(0), start: 1, len: 2 }).is_err());
        assert!(t.target(Span { segment: SegmentId(9), start: 0, len: 1 }).is_err());
        assert!(t.push(None, &[1]).is_err());
        assert!(t.push(Some(SegmentId(0)), &[]).is_err());
    }
}

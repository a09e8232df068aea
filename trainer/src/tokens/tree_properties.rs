//! What must hold for every tree: the flat layout says the same as the branches do one by one.

use super::{SegmentId, Span, TokenTree};
use proptest::prelude::*;

/// A random tree: segments with random parents, each token unique, and some spans.
fn trees() -> impl Strategy<Value = (TokenTree, Vec<Option<usize>>)> {
    let segment = (any::<prop::sample::Index>(), 1..5usize, prop::option::of((0..5usize, 1..5usize)));
    prop::collection::vec(segment, 1..12).prop_map(|segments| {
        let mut tree = TokenTree::default();
        let mut parents = Vec::new();
        for (i, (parent, len, span)) in segments.into_iter().enumerate() {
            let parent = (i > 0).then(|| parent.index(i));
            let tokens: Vec<u32> = (0..len).map(|k| (100 * i + k) as u32).collect();
            let id = tree.push(parent.map(SegmentId), &tokens).unwrap();
            parents.push(parent);
            if let Some((start, len)) = span {
                // What does not fit is refused, and the tree stays as it was.
                let _ = tree.target(Span { segment: id, start, len });
            }
        }
        (tree, parents)
    })
}

proptest! {
    #[test]
    fn each_token_sees_exactly_its_own_row((tree, parents) in trees()) {
        let flat = tree.flatten();
        prop_assert_eq!(flat.tokens.len(), tree.len());
        prop_assert_eq!(flat.positions.len(), tree.len());
        prop_assert_eq!(flat.end.len(), tree.len());
        for i in 0..flat.tokens.len() {
            let segment = SegmentId(flat.tokens[i] as usize / 100);
            let inside = flat.tokens[i] as usize % 100;
            let row = match parents[segment.0] {
                Some(parent) => tree.path(SegmentId(parent)),
                None => Vec::new(),
            };
            let mut row = row;
            row.extend((0..=inside).map(|k| (100 * segment.0 + k) as u32));
            let seen: Vec<u32> =
                (0..flat.tokens.len()).filter(|&j| flat.visible(i, j)).map(|j| flat.tokens[j]).collect();
            prop_assert_eq!(&seen, &row);
            prop_assert_eq!(flat.positions[i], row.len() - 1);
        }
    }

    #[test]
    fn each_target_is_read_from_the_token_before_it((tree, _) in trees()) {
        let flat = tree.flatten();
        let mut wanted = Vec::new();
        for span in tree.spans() {
            let row = tree.path(span.segment);
            let len = flat.segments.iter().find(|s| flat.tokens[s.start] as usize / 100 == span.segment.0).unwrap().len;
            let from = row.len() - len + span.start;
            wanted.extend((from..from + span.len).map(|i| (row[i - 1], row[i])));
        }
        let edges: Vec<(u32, u32)> = flat.edges.iter().map(|e| (flat.tokens[e.parent], flat.tokens[e.child])).collect();
        prop_assert_eq!(edges, wanted);
        prop_assert_eq!(tree.targets(), flat.edges.len());
        let ranges = tree.edge_ranges();
        prop_assert_eq!(ranges.len(), tree.spans().len());
        prop_assert_eq!(ranges.iter().map(ExactSizeIterator::len).sum::<usize>(), flat.edges.len());
    }

    #[test]
    fn segments_cover_the_tokens_parents_first((tree, _) in trees()) {
        let flat = tree.flatten();
        let mut at = 0;
        for (i, segment) in flat.segments.iter().enumerate() {
            prop_assert_eq!(segment.start, at);
            prop_assert!(segment.parent.is_none_or(|p| p < i));
            at += segment.len;
        }
        prop_assert_eq!(at, flat.tokens.len());
    }
}

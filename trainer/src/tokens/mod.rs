//! The only place that renders and tokenises.

mod tree;

pub use tree::{Edge, FlatSegment, FlatTree, SegmentId, Span, TokenTree};

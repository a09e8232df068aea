//! The only place that renders and tokenises.
//!
//! | room | job |
//! |---|---|
//! | `tokenizer` | text to ids and back; what people wrote never becomes a marker |
//! | `train` | a byte-level BPE of one's own |
//! | `config` | the tokenizer's files beside a model's weights, chat template included |
//! | `render` | turns to runs of tokens, append-only |
//! | `tree` | [`TokenTree`], what every stage trains on and samples into |

mod config;
mod render;
#[cfg(test)]
pub(crate) mod testing;
mod tokenizer;
mod train;
mod tree;

pub use config::chat_template;
pub use render::Renderer;
pub use tokenizer::Tokenizer;
pub use tree::{Edge, FlatSegment, FlatTree, SegmentId, Span, TokenTree};

//! The only place that renders and tokenises.
//!
//! | room | job |
//! |---|---|
//! | `tokenizer` | text to ids and back; what people wrote never becomes a marker |
//! | `train` | a byte-level BPE of one's own |
//! | `config` | the tokenizer's files beside a model's weights, chat template included |
//! | `render` | turns to runs of tokens, append-only |
//! | `transcript` | a conversation in such runs; prompts |
//! | `tree` | [`TokenTree`], what every stage trains on and samples into |
//! | `build`, `rollouts` | such trees from conversations, pairs and rollouts |

mod build;
mod config;
#[cfg(test)]
mod peer;
mod render;
mod rollouts;
#[cfg(test)]
pub(crate) mod testing;
mod tokenizer;
mod train;
mod transcript;
mod tree;
#[cfg(test)]
mod tree_properties;

pub use build::{ConversationTree, ConversationTrees, PairSpans, PairTree, PairTrees, conversation_trees, pair_trees};
pub use config::chat_template;
pub use render::Renderer;
pub use rollouts::RolloutTree;
pub use tokenizer::Tokenizer;
pub use transcript::{Body, ExchangeTokens, Prompt, Transcript, answer};
pub use tree::{Edge, FlatSegment, FlatTree, SegmentId, Span, TokenTree};

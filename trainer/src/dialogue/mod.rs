//! A trajectory as chat turns.

mod fence;
mod turn;

pub use fence::{Unclosed, extract_program, fence};
pub use turn::{Conversation, Role, Turn};

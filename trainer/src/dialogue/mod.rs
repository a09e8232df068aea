//! A trajectory as chat turns: who says what, at which level of feedback, and what is dropped when it gets too long.

mod fence;
mod patch;
mod tell;
mod truncate;
mod turn;

pub use fence::{Unclosed, extract_program, fence, fence_diff};
pub use patch::{apply, diff};
pub use tell::{Dialogue, default_system_prompt};
pub use truncate::{Exchange, Length, Limits, Window, Windows, context_start, windows};
pub use turn::{Conversation, Role, Turn};

//! Python programs as programs: the one room of this crate that knows the parsers.
//!
//! * [`parses`] says whether Python would compile the text.
//! * [`normal_form`] maps programs that differ only in what cannot matter to one value (`scopes` finds the names,
//!   `rename` gives them canonical ones).
//! * [`published_normal_form`] reproduces the normaliser of the published pipeline, defects included.
//! * [`local_names`] lists the names that can be changed without changing the program.
//! * [`words`] cuts any text, broken or not, into tokens.
//! * [`Syntax`] is the concrete syntax tree of any text, broken or not.
//!
//! Parsers, pinned: `ruff_python_parser`, and tree-sitter for the concrete trees of texts that need not parse. Every
//! function here is total.
//! It does not execute anything and knows nothing about types.

mod accept;
mod deep;
mod normal;
mod published;
mod rename;
mod scopes;
mod syntax;
mod tidy;
mod words;

pub use accept::parses;
pub(crate) use deep::with_room;
pub use normal::{NormalForm, normal_form};
pub use published::published_normal_form;
pub use scopes::{LocalName, local_names};
pub use syntax::{Node, Syntax};
pub use words::{Word, words, words_by_line};

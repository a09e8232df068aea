//! One HTML page about one or several runs, which opens from disk and asks nothing of a network: tables, charts, configuration, rollouts.
//!
//! | room | job |
//! |---|---|
//! | `read` | a run's folder to values |
//! | `curves` | values to charts |
//! | `shapes` | what evaluation counted to charts: by step, kinds of edits |
//! | `plot` | a chart of lines to SVG |
//! | `bars` | a chart of bars to SVG |
//! | `embed` | data in scripts and addresses, escaped |
//! | `page` | all of it to HTML |
//!
//! The page's style and script are `page.css` and `page.js`. The script shows rollouts and switches the colours; without it tables and charts are there.

mod bars;
mod curves;
mod embed;
mod page;
mod plot;
mod read;
mod shapes;

pub use page::page;
pub use read::{RunFiles, read};

//! One HTML page about one or several runs, which opens from disk and asks nothing of a network: tables, charts, configuration, rollouts.
//!
//! | room | job |
//! |---|---|
//! | `read` | a run's folder to values |
//! | `curves` | values to charts |
//! | `plot` | a chart to SVG |
//! | `embed` | data in scripts and addresses, escaped |
//! | `page` | all of it to HTML |
//!
//! The page's style and script are `page.css` and `page.js`. The script shows rollouts and switches the colours; without it tables and charts are there.

mod curves;
mod embed;
mod page;
mod plot;
mod read;

pub use page::page;
pub use read::{RunFiles, read};

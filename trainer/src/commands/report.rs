//! `novice report`: one page about one or several runs or ablations.

use crate::error::Error;
use crate::files::write_atomic;
use crate::report::{page, read};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Report {
    /// Folders of runs or ablations; the first is the one that others are compared with.
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where the page goes [default: RUN/report.html for one run, report.html here for several].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Rollouts of each run in the page, at most.
    #[arg(long, value_name = "N", default_value_t = 400)]
    rollouts: usize,
}

impl Report {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runs = self.runs.iter().map(|run| read(run)).collect::<crate::Result<Vec<_>>>()?;
        let out = self.out.unwrap_or_else(|| match self.runs.as_slice() {
            [run] => run.join("report.html"),
            _ => PathBuf::from("report.html"),
        });
        if out.is_dir() {
            let message = format!("{}: this is a folder; --out wants a file's name", out.display());
            return Err(Error::Usage(message).into());
        }
        write_atomic(&out, page(&runs, self.rollouts).as_bytes())?;
        eprintln!("written: {}", out.display());
        Ok(())
    }
}

//! `novice traces`: statistics of the data and the audit of what was dropped.

use super::ConfigArgs;
use crate::workshop::open_data;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Traces {
    #[command(flatten)]
    config: ConfigArgs,
    /// JSON instead of tables.
    #[arg(long)]
    json: bool,
}

impl Traces {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let run = self.config.load()?;
        let (_, _, _, dataset) = open_data(&run)?;
        if self.json {
            let value = serde_json::json!({"statistics": dataset.statistics, "audit": dataset.audit});
            println!("{value:#}");
        } else {
            println!("{}\n{}", dataset.statistics.render(), dataset.audit.render());
        }
        Ok(())
    }
}

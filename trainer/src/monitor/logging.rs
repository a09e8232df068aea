//! Log lines on stderr, in concert with the progress bars. stdout is for data.

use super::progress::bars;
use crate::{Error, Result};
use std::io::IsTerminal;
use tracing_indicatif::writer::{IndicatifWriter, Stderr};
use tracing_subscriber::EnvFilter;

/// Sets logging up for the process. `verbosity` counts the `-v`: 0 shows what a user wants to know, 1 also what each
/// room does, 2 everything. `RUST_LOG`, where it is set, says it more finely and wins. A second call changes nothing.
///
/// # Errors
/// [`Error::Usage`] when `RUST_LOG` is not a filter.
pub fn init(verbosity: u8) -> Result<()> {
    let filter = filter(std::env::var("RUST_LOG").ok().as_deref(), verbosity)?;
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // An error means that it was set up before.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(IndicatifWriter::<Stderr>::new(bars().clone()))
        .with_ansi(colours)
        .with_target(verbosity > 0)
        .without_time()
        .try_init();
    Ok(())
}

fn filter(rust_log: Option<&str>, verbosity: u8) -> Result<EnvFilter> {
    let directives = match (rust_log, verbosity) {
        (Some(text), _) if !text.trim().is_empty() => text,
        (_, 0) => "warn,novice=info",
        (_, 1) => "info,novice=debug",
        _ => "debug,novice=trace",
    };
    EnvFilter::builder().parse(directives).map_err(|e| {
        Error::Usage(format!(
            "RUST_LOG: `{directives}` is not a filter ({e}); use for example `novice=debug` or unset it"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_wins_and_is_checked() {
        assert_eq!(filter(None, 0).unwrap().to_string(), "novice=info,warn");
        assert_eq!(filter(Some(" "), 1).unwrap().to_string(), "novice=debug,info");
        assert_eq!(filter(Some("error"), 2).unwrap().to_string(), "error");
        let error = filter(Some("novice=loud"), 0).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("RUST_LOG: `novice=loud`"), "{error}");
    }
}

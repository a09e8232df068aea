//! End-to-end tests: the `novice` binary as a user runs it, from an empty folder.

// Helpers of tests are tests too: what is unexpected fails there and then.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ablate;
mod doctor;
mod errors;
mod grade;
mod remote;
mod train;

use assert_cmd::Command;
use std::path::{Path, PathBuf};

/// The binary, in `folder`, without colours or terminal.
fn novice(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_novice"));
    command.current_dir(folder).env_remove("RUST_LOG");
    command
}

/// A file of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

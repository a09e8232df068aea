//! The `novice` binary: parses the command line, runs a command, turns errors into exit codes.

// Not in the harness of tests, whose command line is another.
#[cfg(all(target_os = "linux", target_env = "gnu", not(test)))]
mod early;

use clap::Parser;
use novice::commands::Cli;
use std::io::Write;

fn main() {
    end(run(Cli::parse()))
}

/// Ends the process.
fn end(code: u8) -> ! {
    let _ = std::io::stdout().flush(); // what cannot be written any more has been an error before
    // SAFETY: ends the process without running exit handlers. Nothing of ours is left to do; libtorch's would take its tables of
    // operators down one by one, which takes longer than grading a hundred submissions.
    unsafe { libc::_exit(code.into()) }
}

/// The exit status.
fn run(cli: Cli) -> u8 {
    novice::memory::keep_freed();
    match cli.run() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("error: {}", told(&error));
            error.downcast_ref::<novice::Error>().map_or(1, novice::Error::exit_code)
        }
    }
}

/// An error and what caused it. Most of our errors name their cause themselves; it is not said twice.
fn told(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

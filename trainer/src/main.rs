//! The `novice` binary: parses the command line, runs a command, turns errors into exit codes.

use clap::Parser;
use novice::commands::Cli;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

fn main() {
    let code = run();
    let _ = std::io::stdout().flush(); // what cannot be written any more has been an error before
    // SAFETY: ends the process without running exit handlers. Nothing of ours is left to do; libtorch's would take its tables of
    // operators down one by one, which takes longer than grading a hundred submissions.
    unsafe { libc::_exit(code.into()) }
}

/// The exit status.
fn run() -> u8 {
    let cli = Cli::parse();
    if cli.computes() {
        wait_politely();
    }
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

/// Threads of libtorch that wait for each other spin for a moment and then sleep. Without the moment a step of decoding,
/// which shares out much work in small parts, takes two thirds more time on an idle machine (`examples/decode_speed`);
/// with libgomp's own, a hundred times as long, it takes a multiple of the time on a machine that does something else as
/// well. libgomp reads the settings when the program is loaded, so the program starts itself again with them. Settings of
/// the user's are left alone.
fn wait_politely() {
    const POLICY: &str = "OMP_WAIT_POLICY";
    const SPINS: &str = "GOMP_SPINCOUNT";
    if [POLICY, SPINS].iter().any(|name| std::env::var_os(name).is_some()) {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        let mut again = Command::new(program);
        // Comes back only when it failed; then the run goes on as it is.
        let _ = again.args(std::env::args_os().skip(1)).env(POLICY, "passive").env(SPINS, "3000").exec();
    }
}

//! The `novice` binary: parses the command line, runs a command, turns errors into exit codes.

use clap::Parser;
use novice::commands::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            let code = error.downcast_ref::<novice::Error>().map_or(1, novice::Error::exit_code);
            ExitCode::from(code)
        }
    }
}

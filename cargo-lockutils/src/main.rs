//! `cargo lockutils`: tests with an isolated lock path, and trials of locks.

mod builtin;
mod cargo_run;
mod child;
mod cli;
mod commands;
mod github;
mod guardian;
mod leaks;
mod lock_directory;
mod lock_scan;
mod say;
mod settings;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use lockutils_harness::foreign::probe;

fn main() -> ExitCode {
    if let Some(control) = std::env::args_os()
        .next()
        .and_then(|name| probe::called_as(name.as_ref()))
    {
        // A wrapper runs us under its lock, and waits for us to end.
        return ExitCode::from(u8::from(probe::run(&control).is_err()));
    }
    let (ours, passed_on) = cli::split(std::env::args_os());
    let cli = match cli::Cli::try_parse_from(ours) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed pipe is all that can go wrong here.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    cli.color.write_global();
    match commands::run(cli.command, cli.color.argument(), passed_on) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            say::error(&error);
            ExitCode::from(USAGE)
        }
    }
}

/// The exit status when the command itself could not do its work.
const USAGE: u8 = 2;

/// Arguments that are passed on as they are.
type PassedOn = Vec<OsString>;

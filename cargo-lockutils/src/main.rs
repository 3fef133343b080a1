//! `cargo lockutils`: tests with an isolated lock path, and trials of locks.

mod builtin;
mod cargo_config;
mod cargo_options;
mod cargo_run;
mod child;
mod cli;
mod commands;
mod github;
mod guardian;
mod leaks;
mod lock_directory;
mod lock_scan;
mod output;
mod remove_tree;
mod run_mark;
mod seed;
mod settings;
mod sys;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use lockutils_harness::workers::probe;

use sys::Status;

fn main() -> ExitCode {
    if let Some(control) = std::env::args_os()
        .next()
        .and_then(|name| probe::called_as(name.as_ref()))
    {
        // A wrapper runs this program while it holds the lock.
        return ExitCode::from(u8::from(probe::run(&control).is_err()));
    }
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if cli::Internal::is_meant(&arguments) {
        return match cli::Internal::try_parse_from(arguments) {
            Ok(internal) => exit(commands::run_internal(internal)),
            Err(error) => refused(&error),
        };
    }
    if commands::version::is_meant(&arguments) {
        return exit(commands::version::run());
    }
    let (ours, passed_on) = cli::split(arguments);
    let cli = match cli::Cli::try_parse_from(ours) {
        Ok(cli) => cli,
        Err(error) => return refused(&error),
    };
    cli.color.write_global();
    exit(commands::run(cli.command, cli.color.argument(), passed_on))
}

/// Prints help, version or a usage error, and returns the exit status.
fn refused(error: &clap::Error) -> ExitCode {
    // Only a closed pipe can make this fail.
    let _ = error.print();
    ExitCode::from(if error.use_stderr() { USAGE } else { 0 })
}

fn exit(result: anyhow::Result<Status>) -> ExitCode {
    match result {
        Ok(status) => sys::exit_code(status),
        Err(error) => {
            output::error(&error);
            ExitCode::from(USAGE)
        }
    }
}

/// Exit status if the command itself fails.
const USAGE: u8 = 2;

//! One module for each subcommand.

mod clean;
mod generate;
mod init;
mod lock_path;
mod ls;
mod nextest;
mod promises;
mod run;
mod runner;
mod show_env;
mod test;
mod trials;
pub mod version;
mod with;
mod worker_check;

use anyhow::Result;
use lockutils_harness::workers::wrapper;

use crate::builtin;
use crate::cli::PassedOn;
use crate::cli::{Command, Internal};

use crate::guardian;
use crate::sys::Status;

/// Runs a subcommand and returns its exit status.
pub fn run(command: Command, color: Option<&'static str>, passed_on: PassedOn) -> Result<Status> {
    match command {
        Command::Test(options) => test::run(options, color, passed_on),
        Command::Nextest {
            options,
            no_doctests,
        } => nextest::run(options, no_doctests, color, passed_on),
        Command::With { options, command } => with::run(options, &command),
        Command::Run { directory, command } => run::run(&directory, &command),
        Command::Stress(options) => trials::stress::run(&options),
        Command::Explore(options) => trials::explore::run(&options),
        Command::Replay { file, times } => trials::replay::run(&file, times),
        Command::Merge(options) => trials::merge::run(&options),
        Command::Promises(options) => promises::run(&options),
        Command::Init(options) => init::run(&options),
        Command::Ls(options) => ls::run(&options),
        Command::Clean(options) => clean::run(&options),
        Command::WorkerCheck { command } => worker_check::run(command),
        Command::ShowEnv {
            format,
            unset: true,
            ..
        } => show_env::unset(format),
        Command::ShowEnv {
            format, lock_path, ..
        } => show_env::run(format, lock_path),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { all: Some(folder) } => generate::man_pages(&folder),
        Command::Man { all: None } => generate::man(),
    }
}

/// Runs a hidden subcommand and returns its exit status.
pub fn run_internal(internal: Internal) -> Result<Status> {
    match internal {
        Internal::BuiltinWorker { lock } => builtin::work(lock).map(|()| 0).map_err(Into::into),
        Internal::WrapperWorker {
            busy_status,
            command,
        } => wrapper::run(command, busy_status)
            .map(|()| 0)
            .map_err(Into::into),
        Internal::CoordinationWorker => {
            promises::work();
            Ok(0)
        }
        Internal::Guardian { run, directory } => {
            guardian::run(run.as_deref(), directory.as_deref());
            Ok(0)
        }
        Internal::Runner { isolate, command } => runner::run(isolate, &command),
    }
}

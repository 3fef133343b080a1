//! The command line: one definition, from which help, completions and the man page are made.

mod clean;
mod color;
mod directory;
mod explore;
mod init;
mod lock;
mod lock_path;
mod ls;
mod split;
mod stress;
mod test;
mod trial;
pub mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand, ValueEnum};
use lockutils_harness::workers::{BUILTIN_WORKER, WRAPPER_ADAPTER};

pub use clean::CleanOptions;
pub use color::Color;
pub use directory::DirectoryOptions;
pub use explore::ExploreOptions;
pub use init::{InitOptions, Service, WorkerLanguage};
pub use lock::LockOptions;
pub use lock_path::LockPathOptions;
pub use ls::LsOptions;
pub use split::split;
pub use stress::StressOptions;
pub use test::{Isolate, TestOptions};
pub use trial::{ReportOptions, TrialOptions};

use crate::builtin::Builtin;

/// The hidden subcommand of the guardian of a run.
pub const GUARDIAN: &str = "guardian";

/// Arguments that are passed on as they are.
pub type PassedOn = Vec<OsString>;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Run tests under an isolated lock path, and try whether locks exclude.
#[derive(Debug, Parser)]
#[command(
    name = "cargo lockutils",
    bin_name = "cargo lockutils",
    version,
    styles = STYLES,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value_t, value_enum)]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run `cargo test` with an isolated OSLO_LOCK_PATH
    ///
    /// A fresh directory is made for the run, OSLO_LOCK_PATH names it in unit tests, integration
    /// tests and doctests, and it is removed afterwards, however the run ends. The exit status is
    /// that of `cargo test`. All options of `cargo test` may be given as well, ours anywhere before
    /// `--`; its -v shows the commands that are run, and its -q leaves our notes out.
    #[command(
        override_usage = "cargo lockutils test [OPTIONS] [ARGUMENTS OF CARGO TEST]...",
        after_help = "Examples:
  cargo lockutils test -p mine --isolate binary --test images
  cargo lockutils test --until-failure --test images -- --exact two_at_once"
    )]
    Test(TestOptions),
    /// Run `cargo nextest run` with an isolated OSLO_LOCK_PATH, then the doctests
    ///
    /// As `test`. Since cargo-nextest leaves doctests out, `cargo test --doc` follows, unless the
    /// arguments select other tests.
    #[command(
        override_usage = "cargo lockutils nextest [OPTIONS] [ARGUMENTS OF CARGO NEXTEST RUN]..."
    )]
    Nextest {
        #[command(flatten)]
        options: TestOptions,
        /// Leave the doctests out
        #[arg(long)]
        no_doctests: bool,
    },
    /// Run any command that runs tests, as `cargo bench` or `cargo llvm-cov`, with the isolation of
    /// `test`
    ///
    /// The exit status is the command's own. --isolate sets our test runner in the environment
    /// (CARGO_TARGET_…_RUNNER), which cargo and all that call it take from there, in front of the
    /// one that the project has.
    #[command(after_help = "Examples:
  cargo lockutils with -- cargo bench
  cargo lockutils with --isolate binary -- cargo llvm-cov --html
  cargo lockutils with --deny-leaks -- cargo +nightly miri test")]
    With {
        #[command(flatten)]
        options: TestOptions,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Run a command with an isolated OSLO_LOCK_PATH, as oslo's lockutils-wrapper
    ///
    /// The directory is removed when the command and what it started have ended. The exit status is
    /// the command's own, 128 + N if signal N ended it, 127 if it was not found and 126 if it
    /// cannot be executed.
    Run {
        #[command(flatten)]
        directory: DirectoryOptions,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Try whether a lock excludes, by load and faults
    ///
    /// LOCK is a worker in any language that speaks the line protocol (docs/reference/protocol.md);
    /// with --wrapper a command that runs another one, {cmd}, under the lock; or, with --builtin,
    /// one of the locks that come along. In its words {dir} is a fresh directory, {name} a lock
    /// name, {lock} the path of both, {worker} the worker's number.
    ///
    /// Exit status: 0 the lock held, 1 it broke (two were in at once), 3 it got stuck, starved
    /// somebody or failed, 2 it could not be tried.
    #[command(after_help = "Examples:
  cargo lockutils stress --wrapper -- flock {lock} {cmd}
  cargo lockutils stress --builtin oslo --duration 60s --html report.html
  cargo lockutils stress --scenario die --seed 0x5eed -- python3 worker.py {dir} {name}")]
    Stress(Box<StressOptions>),
    /// Break a lock by choosing every interleaving
    ///
    /// Runs the workers one system call at a time (ptrace(2)), and searches for the order in which
    /// two are in the section. What is found is made as short as possible, told step by step, and
    /// kept in a file. LOCK is as for `stress`.
    ///
    /// Exit status: 0 nothing was found, 1 two were in at once, 3 it got stuck, 2 it could not be
    /// tried.
    #[command(after_help = "Examples:
  cargo lockutils explore -- python3 worker.py
  cargo lockutils explore --scenario die --lease 2s --duration 3m -- node worker.js")]
    Explore(Box<ExploreOptions>),
    /// Run a counterexample that `explore` has kept again
    ///
    /// Exit status: 1 or 3 if the lock still follows it, 0 if it does not, 2 if it could not be
    /// tried.
    Replay {
        /// The file; `-` is standard input
        file: PathBuf,
        /// How often: 10 times if not said, but once if a run has to wait in real time (12 s)
        #[arg(long, value_name = "N")]
        times: Option<usize>,
    },
    /// Begin: a configuration, a worker and a file for CI
    ///
    /// Asks on a terminal for what the options leave open. What is there is left as it is, unless
    /// --force is given.
    Init(InitOptions),
    /// Show who holds, waits for, or has open which lock file
    ///
    /// Without root, processes of other users are seen only as far as /proc/locks tells of them;
    /// how many were not looked into is said.
    #[command(after_help = "Examples:
  cargo lockutils ls /var/lib/nova/tmp
  cargo lockutils ls --config-file /etc/nova/nova.conf --json")]
    Ls(LsOptions),
    /// Remove lock files that nobody uses
    ///
    /// Only files that are empty, in the directory itself, and neither locked nor open anywhere. A
    /// file stays if that cannot be told.
    ///
    /// With --runs, directories in the temporary folder that runs of this command left behind
    /// because they were killed, or that were kept.
    ///
    /// Exit status: 0 all that nobody uses are gone, 1 some could not be removed, 2 nothing could
    /// be tried.
    Clean(CleanOptions),
    /// Say what a worker gets wrong in the line protocol
    WorkerCheck {
        /// The worker and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "WORKER")]
        command: Vec<String>,
    },
    /// Print OSLO_LOCK_PATH for a shell or another tool
    ///
    /// The directory is made and stays until --unset removes it.
    #[command(after_help = "Examples:
  eval \"$(cargo lockutils show-env)\"            # sh, bash, zsh
  cargo lockutils show-env --format fish | source
  eval \"$(cargo lockutils show-env --unset)\"    # remove the directory again")]
    ShowEnv {
        /// In which form
        #[arg(long, value_enum, default_value_t)]
        format: EnvFormat,
        /// Use this directory instead of a fresh one
        #[arg(long, value_name = "DIR")]
        lock_path: Option<PathBuf>,
        /// Remove the directory that OSLO_LOCK_PATH names, if it was made in this way, and print
        /// what takes the variable away
        #[arg(long, conflicts_with = "lock_path")]
        unset: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write one for each subcommand
    Man {
        /// Write all pages into this directory
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
}

/// What we call ourselves for; users never do. Not among the others, so that nobody is offered
/// these.
#[derive(Debug, Parser)]
#[command(name = "cargo-lockutils")]
pub enum Internal {
    /// The worker of a lock that is built in
    #[command(name = BUILTIN_WORKER)]
    BuiltinWorker {
        #[arg(value_enum)]
        lock: Builtin,
    },
    /// Makes a worker of a command that runs another one under a lock
    #[command(name = WRAPPER_ADAPTER)]
    WrapperWorker {
        #[arg(long)]
        busy_status: Option<u8>,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Cleans up if its owner is killed
    #[command(name = GUARDIAN)]
    Guardian {
        #[arg(long)]
        run: Option<String>,
        directory: Option<PathBuf>,
    },
    /// What cargo runs instead of a test binary under --isolate
    #[command(name = RUNNER)]
    Runner {
        #[arg(value_enum)]
        isolate: Isolate,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

impl Internal {
    /// Whether the first argument is one of these.
    pub fn is_meant(arguments: &[OsString]) -> bool {
        let names = [BUILTIN_WORKER, WRAPPER_ADAPTER, GUARDIAN, RUNNER];
        arguments
            .get(1)
            .is_some_and(|word| names.iter().any(|name| word == name))
    }
}

/// The name of the hidden subcommand that stands before each test binary.
pub const RUNNER: &str = "test-runner";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    /// export OSLO_LOCK_PATH='…'
    #[default]
    Sh,
    /// set -gx OSLO_LOCK_PATH '…'
    Fish,
    /// OSLO_LOCK_PATH=…, as in an env file
    Env,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
        Internal::command().debug_assert();
    }
}

//! The command line: the one definition behind help, completions and man pages.

mod clean;
mod color;
mod directory;
mod explore;
mod init;
mod lock;
mod lock_path;
mod ls;
mod merge;
mod promises;
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
pub use merge::MergeOptions;
pub use promises::PromisesOptions;
pub use split::split;
pub use stress::StressOptions;
pub use test::{Isolate, TestOptions};
pub use trial::{ReportOptions, TrialOptions};

use crate::builtin::Builtin;

/// Hidden subcommand that runs the guardian.
pub const GUARDIAN: &str = "guardian";

/// Arguments that cargo gets unchanged.
pub type PassedOn = Vec<OsString>;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Run tests with isolated locks, and find out whether a lock really excludes.
///
/// `cargo lockutils --version --verbose` shows what is available on this platform.
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
    /// When to use colors: auto, always or never
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value_t,
        value_enum,
        hide_possible_values = true
    )]
    pub color: Color,
    #[command(subcommand)]
    pub command: Command,
}

const RUN_STATUS: &str = "\
Exit status:
  that of the command, or
  126      the command could not be executed
  127      the command was not found
  128 + N  signal N ended the command (Unix)";

const STRESS_STATUS: &str = "\
Exit status:
  0  no violation
  1  broken: two workers held the lock at once
  2  not tested
  3  stuck, starved, wrong answer or errors";

const STRESS_EXAMPLES: &str = "\
Examples:
  cargo lockutils stress --wrapper -- flock {lock} {cmd}
  cargo lockutils stress --builtin oslo --duration 60s --html report.html
  cargo lockutils stress --scenario die --seed 0x5eed -- python3 worker.py";

const EXPLORE_STATUS: &str = "\
Exit status:
  0  no violation found
  1  broken: two workers held the lock at once
  2  not tested
  3  stuck or errors";

const EXPLORE_EXAMPLES: &str = "\
Examples:
  cargo lockutils explore -- python3 worker.py
  cargo lockutils explore --scenario die --lease 2s -- node worker.js";

const MERGE_EXAMPLES: &str = "\
Examples:
  cargo lockutils explore --shard 1/2 --json -- python3 worker.py > 1.json
  cargo lockutils explore --shard 2/2 --json -- python3 worker.py > 2.json
  cargo lockutils merge 1.json 2.json --html report.html";

const REPLAY_STATUS: &str = "\
Exit status:
  0  the violation did not recur
  1  broken: two workers held the lock at once
  2  the counterexample could not be replayed
  3  stuck";

const PROMISES_STATUS: &str = "\
Exit status:
  0  no violation found
  1  broken: two workers held the lock at once
  2  not tried, because the service does not answer
  3  another promise was broken";

const PROMISES_EXAMPLES: &str = "\
Examples:
  cargo lockutils promises redis://localhost:6379
  cargo lockutils promises --no-trials etcd3+http://10.0.0.1:2379";

const CLEAN_STATUS: &str = "\
Exit status:
  0  every unused file was removed
  1  some files could not be checked or removed
  2  the directory could not be read";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run `cargo test` with an isolated OSLO_LOCK_PATH
    ///
    /// OSLO_LOCK_PATH names the directory for lock files. Creates a fresh one, sets the variable
    /// for unit tests, integration tests and doctests, and removes the directory when the run
    /// ends, even if it is interrupted or killed.
    ///
    /// Accepts every option of `cargo test`; the options below may appear anywhere before `--`.
    /// With -v, prints the commands it runs; with -q, omits its own messages.
    ///
    /// Exit status: that of `cargo test`.
    #[command(
        override_usage = "cargo lockutils test [OPTIONS] [ARGUMENTS OF CARGO TEST]...",
        after_help = "Examples:
  cargo lockutils test -p mine --isolate binary --test images
  cargo lockutils test --until-failure --test images -- --exact two_at_once"
    )]
    Test(TestOptions),
    /// Run `cargo nextest run` with an isolated OSLO_LOCK_PATH, then the doctests
    ///
    /// Works like `test`. cargo-nextest does not run doctests, so `cargo test --doc` follows,
    /// unless the arguments select other tests.
    #[command(
        override_usage = "cargo lockutils nextest [OPTIONS] [ARGUMENTS OF CARGO NEXTEST RUN]..."
    )]
    Nextest {
        #[command(flatten)]
        options: TestOptions,
        /// Skip the doctests
        #[arg(long)]
        no_doctests: bool,
    },
    /// Run any other command that runs tests, such as `cargo bench` or `cargo llvm-cov`
    ///
    /// Isolates locks as `test` does. --isolate works through a target runner, set in the variable
    /// CARGO_TARGET_…_RUNNER; a runner that the project configures still runs, inside ours.
    ///
    /// Exit status: that of the command.
    #[command(after_help = "Examples:
  cargo lockutils with -- cargo bench
  cargo lockutils with --isolate binary -- cargo llvm-cov --html
  cargo lockutils with --deny-leaks -- cargo +nightly miri test")]
    With {
        #[command(flatten)]
        options: TestOptions,
        /// Command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Run a command with an isolated OSLO_LOCK_PATH, like oslo's lockutils-wrapper
    ///
    /// Removes the directory once the command and every process it started have ended.
    #[command(after_long_help = RUN_STATUS)]
    Run {
        #[command(flatten)]
        directory: DirectoryOptions,
        /// Command and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "COMMAND")]
        command: Vec<OsString>,
    },
    /// Test a lock under load and faults
    ///
    /// LOCK is the command line of a worker: a program in any language that acquires and releases
    /// the lock on request (docs/reference/protocol.md; `init --worker` writes one). With
    /// --wrapper, LOCK is a command that holds the lock while it runs {cmd}. With --builtin, a
    /// built-in lock is tested instead.
    ///
    /// Placeholders in LOCK: {dir} is a fresh directory, {name} a lock name, {lock} the path
    /// {dir}/{name}, {worker} the worker's number.
    ///
    /// TIME is a number and a unit, such as 800us, 1.5s or 10m.
    #[command(
        after_help = STRESS_EXAMPLES,
        after_long_help = format!("{STRESS_STATUS}\n\n{STRESS_EXAMPLES}")
    )]
    Stress(Box<StressOptions>),
    /// Test a lock by choosing the order of its system calls
    ///
    /// Linux only. Runs the workers one system call at a time, under ptrace(2), and searches for an
    /// interleaving in which two of them hold the lock. Shrinks the interleaving that it finds,
    /// prints it step by step, and saves it to a file for `replay`. LOCK and TIME are as in
    /// `stress`.
    #[command(
        after_help = EXPLORE_EXAMPLES,
        after_long_help = format!("{EXPLORE_STATUS}\n\n{EXPLORE_EXAMPLES}")
    )]
    Explore(Box<ExploreOptions>),
    /// Replay a counterexample saved by `explore`
    #[command(after_long_help = REPLAY_STATUS)]
    Replay {
        /// Counterexample, or `-` for standard input
        file: PathBuf,
        /// Number of runs [default: 10, or 1 if each run has to wait 12 s of real time]
        #[arg(long, value_name = "N")]
        times: Option<usize>,
    },
    /// Merge reports of several runs into one
    ///
    /// Reads reports that `explore --json` or `stress --json` has written, such as those of the
    /// shards of a search, adds up their counts, and prints the worst verdict of each scenario.
    /// Reports of different locks remain apart. If a shard is missing, no verdict is better than
    /// `not known`.
    #[command(
        after_help = MERGE_EXAMPLES,
        after_long_help = format!("{STRESS_STATUS}\n\n{MERGE_EXAMPLES}")
    )]
    Merge(MergeOptions),
    /// Show what a coordination service promises about its locks, and try it
    ///
    /// Prints the promises of the engine that the URL names: exclusion, fencing tokens, what
    /// becomes of a lock when its holder, a connection or the server fails. Then connects to the
    /// service and tries what can be tried in ten seconds, with locks and connections of its own.
    /// It neither stops the server nor touches locks of others. The locks of the trials have
    /// leases of some seconds, whatever the URL says, and names that begin with `lockutils-`.
    #[command(
        after_help = PROMISES_EXAMPLES,
        after_long_help = format!("{PROMISES_STATUS}\n\n{PROMISES_EXAMPLES}")
    )]
    Promises(PromisesOptions),
    /// Set up lock trials in this package: configuration, worker, CI workflow
    ///
    /// On a terminal, asks for what the options do not specify. Does not change existing files
    /// unless --force is given.
    Init(InitOptions),
    /// Show which processes hold, wait for or have open each lock file
    ///
    /// Without root, other users' processes appear only as far as /proc/locks shows them; the
    /// output says how many were skipped. macOS and FreeBSD show no waiters, and Windows shows only
    /// who has the file open.
    #[command(after_help = "Examples:
  cargo lockutils ls /var/lib/nova/tmp
  cargo lockutils ls --config-file /etc/nova/nova.conf --json")]
    Ls(LsOptions),
    /// Remove unused lock files
    ///
    /// Removes a file only if it is empty, directly in the directory, and neither locked nor open
    /// in any process. In case of doubt, keeps the file.
    #[command(after_long_help = CLEAN_STATUS)]
    Clean(CleanOptions),
    /// Check that a worker speaks the line protocol
    ///
    /// docs/reference/protocol.md describes the protocol.
    WorkerCheck {
        /// Worker and its arguments
        #[arg(required = true, trailing_var_arg = true, value_name = "WORKER")]
        command: Vec<String>,
    },
    /// Print OSLO_LOCK_PATH for a shell or another tool
    ///
    /// Creates a fresh directory, which remains until --unset removes it.
    #[command(after_help = "Examples:
  eval \"$(cargo lockutils show-env)\"            # sh, bash, zsh
  cargo lockutils show-env --format fish | source
  cargo lockutils show-env --format powershell | Invoke-Expression
  eval \"$(cargo lockutils show-env --unset)\"    # removes the directory")]
    ShowEnv {
        /// Syntax of the output
        #[arg(long, value_enum, value_name = "SYNTAX", default_value_t)]
        format: EnvFormat,
        /// Lock path to use instead of a fresh directory
        #[arg(long, value_name = "DIR")]
        lock_path: Option<PathBuf>,
        /// Remove the directory in OSLO_LOCK_PATH if `show-env` created it, and print the command
        /// that unsets the variable
        #[arg(long, conflicts_with = "lock_path")]
        unset: bool,
    },
    /// Print a completion script for a shell
    Completions {
        /// Shell to complete for
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man {
        /// Write a page for the command and each subcommand to this directory instead
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
}

/// Hidden subcommands with which this program runs itself. They are not part of [`Command`], so
/// that help and completions never offer them.
#[derive(Debug, Parser)]
#[command(name = "cargo-lockutils")]
pub enum Internal {
    /// Run the worker of a built-in lock
    #[command(name = BUILTIN_WORKER)]
    BuiltinWorker {
        #[arg(value_enum)]
        lock: Builtin,
    },
    /// Drive a wrapper command as a worker
    #[command(name = WRAPPER_ADAPTER)]
    WrapperWorker {
        #[arg(long)]
        busy_status: Option<u8>,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Acquire locks for a trial of `promises`
    #[command(name = COORDINATION_WORKER)]
    CoordinationWorker,
    /// Clean up if the owner is killed
    #[command(name = GUARDIAN)]
    Guardian {
        #[arg(long)]
        run: Option<String>,
        directory: Option<PathBuf>,
    },
    /// Run a test binary for cargo under --isolate
    #[command(name = RUNNER)]
    Runner {
        #[arg(value_enum)]
        isolate: Isolate,
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
}

impl Internal {
    /// Returns `true` if the first argument is one of these subcommands.
    pub fn is_meant(arguments: &[OsString]) -> bool {
        let names = [
            BUILTIN_WORKER,
            WRAPPER_ADAPTER,
            COORDINATION_WORKER,
            GUARDIAN,
            RUNNER,
        ];
        arguments
            .get(1)
            .is_some_and(|word| names.iter().any(|name| word == name))
    }
}

/// Hidden subcommand that runs a process of a trial of `promises`.
pub const COORDINATION_WORKER: &str = "coordination-worker";

/// Hidden subcommand that cargo puts before each test binary.
pub const RUNNER: &str = "test-runner";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EnvFormat {
    /// export OSLO_LOCK_PATH='…'
    #[default]
    Sh,
    /// set -gx OSLO_LOCK_PATH '…'
    Fish,
    /// OSLO_LOCK_PATH=…, for an env file
    Env,
    /// $env:OSLO_LOCK_PATH = '…'
    Powershell,
    /// set "OSLO_LOCK_PATH=…"
    Cmd,
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

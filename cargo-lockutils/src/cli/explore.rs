//! The options of `explore`.

use std::path::PathBuf;

use clap::Args;
use lockutils_harness::engines::Engine;
use lockutils_harness::explore::{Choice, Shard};

use super::trial::TrialOptions;
use super::values::{engine, explorable, strategy};

#[derive(Args, Clone, Debug)]
#[command(
    mut_arg("scenario", |arg| arg
        .help("Scenario to run: contend, die, crash, expire, respawn, remove, unlink or wrapper-kill; \
             repeatable or comma-separated [default: all that the lock supports, except unlink and \
             wrapper-kill]")
        .value_parser(explorable)),
    mut_arg("duration", |arg| arg
        .help("Time limit for each lock, all scenarios together [default: 60s]")),
    mut_arg("workers", |arg| arg
        .help("Number of competing workers [default: 3]")
        .value_parser(clap::value_parser!(u16).range(2..=16)))
)]
pub struct ExploreOptions {
    #[command(flatten)]
    pub trial: TrialOptions,
    /// Acquisitions per worker
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=8),
        help_heading = "Trial"
    )]
    pub rounds: u16,
    /// Maximum number of crashes in a schedule of the scenario `crash`
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u16).range(1..=8),
        help_heading = "Trial"
    )]
    pub crashes: u16,
    /// Search strategy: mix (all of them in turn), delays, pct, random or depth-first
    #[arg(
        long,
        value_name = "NAME",
        default_value = "mix",
        value_parser = strategy,
        help_heading = "Trial"
    )]
    pub strategy: Choice,
    /// Maximum number of schedules per scenario [default: 5000]
    #[arg(long, value_name = "N", help_heading = "Trial")]
    pub schedules: Option<usize>,
    /// Number of explorers, each on a processor of its own and with its own workers; the result does
    /// not depend on it [default: one per processor]
    #[arg(
        long,
        short,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=32),
        help_heading = "Trial"
    )]
    pub jobs: Option<u16>,
    /// Part of the search to run, such as 3/16 for the third of 16 CI jobs; `merge` joins the reports
    #[arg(long, value_name = "K/N", help_heading = "Trial")]
    pub shard: Option<Shard>,
    /// Search until a violation is found or everything was tried; without --duration, there is no
    /// time limit
    #[arg(long, conflicts_with = "schedules", help_heading = "Trial")]
    pub until_broken: bool,
    /// File for the state of the search: if it exists, continue the search from there; written when
    /// the run ends, even if it is interrupted
    #[arg(long, value_name = "FILE", help_heading = "Trial")]
    pub resume: Option<PathBuf>,
    /// Start a server of this engine for the workers and schedule their requests: redis, memcached,
    /// postgres, mariadb, etcd or zookeeper. Workers find it in LOCKUTILS_SERVERS (HOST:PORT); {server}
    /// in the command is replaced by it
    #[arg(
        long,
        value_name = "ENGINE",
        value_parser = engine,
        conflicts_with = "server",
        help_heading = "Server"
    )]
    pub servers: Option<Engine>,
    /// Use this running server instead: HOST:PORT, or ENGINE://HOST:PORT if the port is not the usual
    /// one. Between schedules, what bears the name of the lock is removed from it
    #[arg(long, value_name = "ADDRESS", help_heading = "Server")]
    pub server: Option<String>,
    /// File for the counterexample [default: lockutils-SCENARIO.txt]
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with = "artifacts",
        help_heading = "Reports"
    )]
    pub save: Option<PathBuf>,
}

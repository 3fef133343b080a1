//! The options common to `stress` and `explore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockutils_harness::model::Scenario;

use super::lock::LockOptions;
use super::values::{seed, stressable, time};

/// The lock, the limits of the trial, and the reports.
#[derive(Args, Clone, Debug)]
pub struct TrialOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Scenario to run: contend, threads, die, respawn, remove, pause, unlink, fork, reopen or
    /// wrapper-kill; repeatable or comma-separated [default: all that the lock supports]
    #[arg(
        long,
        value_delimiter = ',',
        value_name = "NAME",
        value_parser = stressable,
        help_heading = "Trial"
    )]
    pub scenario: Vec<Scenario>,
    /// Time limit for each lock, all scenarios together
    #[arg(long, alias = "budget", value_name = "TIME", value_parser = time, help_heading = "Trial")]
    pub duration: Option<Duration>,
    /// Number of competing workers
    #[arg(
        long,
        alias = "processes",
        alias = "parties",
        value_name = "N",
        help_heading = "Trial"
    )]
    pub workers: Option<u16>,
    /// Seed of every random choice [default: random, and printed]
    #[arg(long, value_name = "SEED", value_parser = seed, help_heading = "Trial")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub reports: ReportOptions,
}

/// The reports of a trial.
#[derive(Args, Clone, Debug)]
pub struct ReportOptions {
    /// Print the report as JSON on standard output, and the text on standard error
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// File for a JUnit report
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// File for a self-contained HTML report; with several configured locks, one file per lock,
    /// with the lock's name appended
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Write every report to this directory; the seed is written before the run starts
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub artifacts: Option<PathBuf>,
}

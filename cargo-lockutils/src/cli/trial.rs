//! The options that `stress` and `explore` share.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockutils_harness::model::Scenario;

use super::lock::LockOptions;
use super::values::{scenario, seed, time};

/// What is tried, how long and how hard, and where the results go.
#[derive(Args, Clone, Debug)]
pub struct TrialOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Only this scenario; repeatable, or separated by commas
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = scenario, help_heading = "Trial")]
    pub scenario: Vec<Scenario>,
    /// Time for all scenarios of a lock together
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
    /// Seed of every random choice; by default a new one, which is printed
    #[arg(long, value_parser = seed, help_heading = "Trial")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub reports: ReportOptions,
}

/// Where the results go.
#[derive(Args, Clone, Debug)]
pub struct ReportOptions {
    /// Write the report as JSON to standard output, and the text to standard error
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write a JUnit report
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write a self-contained page; with several configured locks, FILE-NAME for each lock NAME
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Write every report to this directory; the seed is written before the run starts
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub artifacts: Option<PathBuf>,
}

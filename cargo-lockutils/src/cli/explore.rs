//! The options of `explore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockutils_harness::explore::Choice;
use lockutils_harness::model::Scenario;

use super::lock::LockOptions;
use super::values::{plot, seed, strategy, time};

#[derive(Args, Clone, Debug)]
pub struct ExploreOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Only this scenario: contend, die, respawn, remove or unlink; may be given several times, or
    /// with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = plot, help_heading = "Search")]
    pub scenario: Vec<Scenario>,
    /// How many acquire the lock [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=16), help_heading = "Search")]
    pub parties: Option<u16>,
    /// How often each of them does
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=8), help_heading = "Search")]
    pub rounds: u16,
    /// How schedules are made up: mix, delays, pct, random or depth-first
    #[arg(long, value_name = "NAME", default_value = "mix", value_parser = strategy, help_heading = "Search")]
    pub strategy: Choice,
    /// For how long, all scenarios of a lock together [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Search")]
    pub budget: Option<Duration>,
    /// How many schedules of each scenario at most [default: 5000]
    #[arg(long, value_name = "N", help_heading = "Search")]
    pub schedules: Option<usize>,
    /// Of the random schedules
    #[arg(long, value_parser = seed, help_heading = "Search")]
    pub seed: Option<u64>,
    /// Where a counterexample is kept [default: lockutils-SCENARIO.txt]
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub save: Option<PathBuf>,
    /// Print what was found as JSON on standard output, and the rest on standard error
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write JUnit's XML
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write a page that shows the counterexamples
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Keep the seed, before the run, and every counterexample in this folder
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "save",
        help_heading = "Reports"
    )]
    pub artifacts: Option<PathBuf>,
}

//! The options of `explore`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockutils_harness::explore::Plot;

use super::lock::LockOptions;
use super::values::{seed, time};

#[derive(Args, Clone, Debug)]
pub struct ExploreOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Only this scenario: contend, die, remove or unlink; may be given several times, or with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = plot, help_heading = "Search")]
    pub scenario: Vec<Plot>,
    /// How many acquire the lock
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(2..=16), help_heading = "Search")]
    pub parties: u16,
    /// For how long, all scenarios together
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time, help_heading = "Search")]
    pub budget: Duration,
    /// How many schedules of each scenario at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5000,
        help_heading = "Search"
    )]
    pub schedules: usize,
    /// Of the random schedules
    #[arg(long, value_parser = seed, help_heading = "Search")]
    pub seed: Option<u64>,
    /// Where a counterexample is kept [default: lockutils-SCENARIO.txt]
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub save: Option<PathBuf>,
}

fn plot(text: &str) -> Result<Plot, String> {
    Plot::ALL
        .into_iter()
        .find(|plot| plot.word() == text)
        .ok_or_else(|| {
            let all: Vec<&str> = Plot::ALL.into_iter().map(Plot::word).collect();
            format!("there are: {}", all.join(", "))
        })
}

//! The options of `stress`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use lockutils_harness::model::Scenario;

use super::lock::LockOptions;
use super::values::{scenario, seed, time};

#[derive(Args, Clone, Debug)]
pub struct StressOptions {
    #[command(flatten)]
    pub lock: LockOptions,
    /// Only this scenario; may be given several times, or with commas
    #[arg(long, value_delimiter = ',', value_name = "NAME", value_parser = scenario, help_heading = "Load")]
    pub scenario: Vec<Scenario>,
    /// For how long, all scenarios of a lock together [default: 20s]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Load")]
    pub duration: Option<Duration>,
    /// Of all random choices; a new one each time, and printed
    #[arg(long, value_parser = seed, help_heading = "Load")]
    pub seed: Option<u64>,
    /// Workers, where processes compete [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256), help_heading = "Load")]
    pub processes: Option<u16>,
    /// Threads of the one worker, where threads compete [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..=256), help_heading = "Load")]
    pub threads: Option<u16>,
    /// How long a section lasts at most [default: 800us]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Load")]
    pub hold: Option<Duration>,
    /// For how long nobody may get the lock before it is called stuck [default: 30s, or more with a
    /// long lease]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Load")]
    pub stuck_after: Option<Duration>,
    /// Let hazards count for the exit status as promises do
    #[arg(long, help_heading = "Load")]
    pub deny_hazards: bool,
    /// Print the whole result as JSON on standard output, and the card, on standard error
    #[arg(long, help_heading = "Reports")]
    pub json: bool,
    /// Write the result as JUnit XML
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub junit: Option<PathBuf>,
    /// Write one page with the card and its timelines; FILE-NAME for each lock NAME, if several are
    /// configured
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub html: Option<PathBuf>,
    /// Keep all of these in this folder, and the seed, before the run
    #[arg(long, value_name = "DIR", help_heading = "Reports")]
    pub artifacts: Option<PathBuf>,
}

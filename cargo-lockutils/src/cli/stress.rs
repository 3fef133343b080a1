//! The options of `stress`.

use std::time::Duration;

use clap::Args;

use super::trial::TrialOptions;
use super::values::time;

#[derive(Args, Clone, Debug)]
#[command(
    mut_arg("duration", |arg| arg
        .help("Time limit for each lock, all scenarios together [default: 20s]")),
    mut_arg("workers", |arg| arg
        .help("Number of competing workers [default: 4]")
        .value_parser(clap::value_parser!(u16).range(2..=256)))
)]
pub struct StressOptions {
    #[command(flatten)]
    pub trial: TrialOptions,
    /// Number of competing threads in the scenario `threads` [default: 4]
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(2..=256),
        help_heading = "Trial"
    )]
    pub threads: Option<u16>,
    /// Maximum time in the critical section [default: 800us]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Trial")]
    pub hold: Option<Duration>,
    /// Time without any acquisition before the verdict is `stuck` [default: 30s, or more with a
    /// long lease]
    #[arg(long, value_name = "TIME", value_parser = time, help_heading = "Trial")]
    pub stuck_after: Option<Duration>,
    /// Let hazards (pause, unlink, fork, reopen, wrapper-kill) affect the exit status too; by
    /// default they do so only if --scenario names them
    #[arg(long, help_heading = "Trial")]
    pub deny_hazards: bool,
}

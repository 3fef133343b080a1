//! The options of `promises`.

use clap::Args;

#[derive(Args, Clone, Debug)]
pub struct PromisesOptions {
    /// URL of the service, such as redis://10.0.0.1:6379 [default: OSLO_COORDINATION_URL]
    pub url: Option<String>,
    /// Print the promises only, and connect to nothing
    #[arg(long)]
    pub no_trials: bool,
}

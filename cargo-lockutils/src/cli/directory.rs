//! The options for the lock directory of a run.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone, Debug, Default)]
pub struct DirectoryOptions {
    /// Keep the directory if the run fails, and print its path
    #[arg(long, conflicts_with = "lock_path")]
    pub keep: bool,
    /// Lock path to use instead of a fresh directory; it is not removed
    #[arg(long, value_name = "DIR")]
    pub lock_path: Option<PathBuf>,
}

//! Where the locks of a run are.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone, Debug, Default)]
pub struct DirectoryOptions {
    /// Keep the directory if the run fails, and print its path
    #[arg(long, conflicts_with = "lock_path")]
    pub keep: bool,
    /// Use this directory instead of a fresh one; it is not removed
    #[arg(long, value_name = "DIR")]
    pub lock_path: Option<PathBuf>,
}

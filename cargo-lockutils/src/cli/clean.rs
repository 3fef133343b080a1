//! The options of `clean`.

use clap::Args;

use super::lock_path::LockPathOptions;

#[derive(Args, Clone, Debug)]
pub struct CleanOptions {
    #[command(flatten)]
    pub lock_path: LockPathOptions,
    /// Instead of lock files, remove what killed runs of `cargo lockutils` left in the temporary
    /// directory
    #[arg(long, conflicts_with_all = ["path", "config_file"])]
    pub runs: bool,
    /// With --runs, also remove directories kept by --keep or show-env
    #[arg(long, requires = "runs")]
    pub kept: bool,
    /// Print what would be removed without removing it
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

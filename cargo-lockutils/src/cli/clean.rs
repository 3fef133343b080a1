//! The options of `clean`.

use clap::Args;

use super::lock_path::LockPathOptions;

#[derive(Args, Clone, Debug)]
pub struct CleanOptions {
    #[command(flatten)]
    pub lock_path: LockPathOptions,
    /// Remove instead the directories that runs of ours left in the temporary folder
    #[arg(long, conflicts_with_all = ["path", "config_file"])]
    pub runs: bool,
    /// With --runs: also those that were kept on purpose, by --keep or show-env
    #[arg(long, requires = "runs")]
    pub kept: bool,
    /// Say what would be removed, and remove nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

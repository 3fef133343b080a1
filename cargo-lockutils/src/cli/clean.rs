//! The options of `clean`.

use clap::Args;

use super::lock_path::LockPathOptions;

#[derive(Args, Clone, Debug)]
pub struct CleanOptions {
    #[command(flatten)]
    pub lock_path: LockPathOptions,
    /// Say what would be removed, and remove nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

//! The options of `ls`.

use clap::Args;

use super::lock_path::LockPathOptions;

#[derive(Args, Clone, Debug)]
pub struct LsOptions {
    #[command(flatten)]
    pub lock_path: LockPathOptions,
    /// List unused files too
    #[arg(long)]
    pub all: bool,
    /// Print JSON (docs/reference/ls-json.md)
    #[arg(long)]
    pub json: bool,
}

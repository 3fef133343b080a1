//! The options of `ls` and `clean` for the lock path.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone, Debug)]
pub struct LockPathOptions {
    /// Lock path [default: from --config-file, else OSLO_LOCK_PATH]
    #[arg(value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Read lock_path from an oslo.config file, such as /etc/nova/nova.conf
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    pub config_file: Option<PathBuf>,
}

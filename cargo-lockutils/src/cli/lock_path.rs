//! Which lock path `ls` and `clean` look at.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Clone, Debug)]
pub struct LockPathOptions {
    /// The lock path [default: that of the configuration file, else OSLO_LOCK_PATH]
    #[arg(value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Take the lock path from a service's configuration, as /etc/nova/nova.conf
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    pub config_file: Option<PathBuf>,
}

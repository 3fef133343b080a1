//! Which lock path `ls` and `clean` look at.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use oslo_concurrency::lockutils;

#[derive(Args, Clone, Debug)]
pub struct LockPathOptions {
    /// The lock path [default: that of the configuration file, else OSLO_LOCK_PATH]
    #[arg(value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Take the lock path from a service's configuration, as /etc/nova/nova.conf
    #[arg(long, value_name = "FILE", conflicts_with = "path")]
    pub config_file: Option<PathBuf>,
}

impl LockPathOptions {
    /// The path, which is there.
    pub fn existing(&self) -> Result<PathBuf> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => self.in_force()?,
        };
        std::fs::metadata(&path)
            .with_context(|| format!("the lock path {} cannot be looked at", path.display()))?;
        Ok(path)
    }

    fn in_force(&self) -> Result<PathBuf> {
        if let Some(file) = &self.config_file {
            lockutils::configure_from_ini(file)?;
        }
        lockutils::get_lock_path().context(
            "no lock path is set: name the directory, set OSLO_LOCK_PATH, or give --config-file with a file that has \
             `lock_path` in its section [oslo_concurrency]",
        )
    }
}

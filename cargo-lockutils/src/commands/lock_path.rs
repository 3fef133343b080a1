//! The lock path of `ls` and `clean`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use oslo_concurrency::lockutils;

use crate::cli::LockPathOptions;

impl LockPathOptions {
    /// The lock path, which exists.
    pub fn existing(&self) -> Result<PathBuf> {
        let path = match &self.path {
            Some(path) => path.clone(),
            None => self.in_force()?,
        };
        std::fs::metadata(&path)
            .with_context(|| format!("cannot access the lock path {}", path.display()))?;
        Ok(path)
    }

    fn in_force(&self) -> Result<PathBuf> {
        if let Some(file) = &self.config_file {
            lockutils::configure_from_ini(file)?;
        }
        lockutils::get_lock_path().context(
            "no lock path: name the directory, set OSLO_LOCK_PATH, or use --config-file with a \
             file that sets `lock_path` in its section [oslo_concurrency]",
        )
    }
}

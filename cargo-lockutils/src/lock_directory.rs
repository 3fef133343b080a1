//! The lock path of one run: made, shown to be in use, and removed when nobody uses it any more.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::DirectoryOptions;
use lockutils_harness::foreign::processes;

use crate::guardian::Guardian;
use crate::say;

/// The environment variable that names the lock path; the same as oslo.concurrency's.
pub const VARIABLE: &str = "OSLO_LOCK_PATH";

const PREFIX: &str = "cargo-lockutils-";
/// Locked while the run that made the directory lives, so that a later run can tell whether it was killed.
const OWNER: &str = "owner";
/// There if the directory was kept on purpose.
const KEPT: &str = "kept";
const LOCKS: &str = "locks";

/// The lock path of one run.
#[derive(Debug)]
pub struct LockDirectory {
    lock_path: PathBuf,
    ours: Option<Ours>,
}

#[derive(Debug)]
struct Ours {
    base: PathBuf,
    keep_if_failed: bool,
    _owner: File,
}

impl LockDirectory {
    /// A fresh directory of mode 0700, or the one that the user names.
    pub fn make(options: &DirectoryOptions) -> Result<Self> {
        if let Some(directory) = &options.lock_path {
            fs::create_dir_all(directory)
                .and_then(|()| fs::canonicalize(directory))
                .map(|lock_path| LockDirectory {
                    lock_path,
                    ours: None,
                })
                .with_context(|| format!("the lock path {} cannot be made", directory.display()))
        } else {
            remove_what_killed_runs_left();
            Self::make_fresh(options.keep)
        }
    }

    fn make_fresh(keep_if_failed: bool) -> Result<Self> {
        let parent = std::env::temp_dir();
        let problem = || {
            format!(
                "no directory for the locks can be made in {}: set TMPDIR to a directory that is writable, or give --lock-path",
                parent.display()
            )
        };
        let base = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .with_context(problem)?;
        let owner = File::create(base.path().join(OWNER)).with_context(problem)?;
        owner.lock().with_context(problem)?;
        let lock_path = base.path().join(LOCKS);
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&lock_path)
            .with_context(problem)?;
        Ok(LockDirectory {
            lock_path,
            ours: Some(Ours {
                base: base.keep(),
                keep_if_failed,
                _owner: owner,
            }),
        })
    }

    /// What OSLO_LOCK_PATH is set to.
    pub fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// Sees to it that nothing stays in the directory, nor uses it, if this process is killed.
    pub fn guard(&self) -> Result<Option<Guardian>> {
        let of = |ours: &Ours| Guardian::of(&ours.base).context("no process to clean up after us");
        self.ours.as_ref().map(of).transpose()
    }

    /// Writes a file of cargo's configuration beside the locks; its path has no blank that cargo would split.
    pub fn write_config(&self, text: &str) -> Result<ConfigFile> {
        let (path, temporary) = match &self.ours {
            Some(ours) => (ours.base.join("config.toml"), None),
            None => {
                let file = tempfile::Builder::new()
                    .prefix(PREFIX)
                    .suffix(".toml")
                    .tempfile()?
                    .into_temp_path();
                (file.to_path_buf(), Some(file))
            }
        };
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(ConfigFile {
            path,
            _temporary: temporary,
        })
    }

    /// Leaves the directory where it is.
    pub fn keep(self) -> Result<PathBuf> {
        if let Some(ours) = &self.ours {
            File::create(ours.base.join(KEPT))?;
        }
        Ok(self.lock_path)
    }

    /// Removes the directory, unless a failed run is to be kept or a process still uses it.
    ///
    /// `unused` says that it is known that no process uses it.
    pub fn finish(self, failed: bool, unused: bool) -> Result<()> {
        let Some(ours) = &self.ours else {
            return Ok(());
        };
        if failed && ours.keep_if_failed {
            let lock_path = self.keep()?;
            say::note(format_args!("kept the lock path {}", lock_path.display()));
            return Ok(());
        }
        let user = if unused {
            None
        } else {
            processes::that_use(&ours.base).into_iter().next()
        };
        if let Some(user) = user {
            say::warning(format_args!(
                "the lock path {} stays, since process {user} still uses it: {}; a later run removes it",
                self.lock_path.display(),
                processes::command(user)
            ));
            return Ok(());
        }
        remove(&ours.base)
    }
}

/// A file of cargo's configuration, there as long as the run.
#[derive(Debug)]
pub struct ConfigFile {
    path: PathBuf,
    _temporary: Option<tempfile::TempPath>,
}

impl ConfigFile {
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn remove(base: &Path) -> Result<()> {
    match fs::remove_dir_all(base) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| {
                format!(
                    "the lock path of this run cannot be removed, remove it by hand: {}",
                    base.display()
                )
            })
        }
        _ => Ok(()),
    }
}

/// A run that was ended by SIGKILL could not remove its directory: its owner's lock is free, and nobody uses it.
fn remove_what_killed_runs_left() {
    let me = nix::unistd::getuid().as_raw();
    for entry in fs::read_dir(std::env::temp_dir())
        .into_iter()
        .flatten()
        .flatten()
    {
        let base = entry.path();
        let is_ours = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == me);
        if !is_ours || base.join(KEPT).exists() {
            continue;
        }
        let owner_is_dead =
            File::open(base.join(OWNER)).is_ok_and(|owner| owner.try_lock().is_ok());
        if owner_is_dead && processes::that_use(&base).is_empty() {
            let _ = remove(&base); // another run may be removing it as well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_fresh_directory_is_private_and_removed() {
        let directory = LockDirectory::make(&DirectoryOptions::default()).unwrap();
        let lock_path = directory.lock_path().to_owned();
        let mode = fs::metadata(&lock_path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        directory.finish(false, false).unwrap();
        assert!(!lock_path.parent().unwrap().exists());
    }
}

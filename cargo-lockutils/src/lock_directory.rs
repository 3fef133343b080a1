//! The lock path of one run: made, shown to be in use, and removed when nobody uses it any more.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::DirectoryOptions;
use lockutils_harness::procfs;

use crate::guardian::Guardian;
use crate::remove_tree::remove_tree;
use crate::run_mark::RunMark;
use crate::say;

/// The environment variable that names the lock path; the same as oslo.concurrency's.
pub const VARIABLE: &str = "OSLO_LOCK_PATH";

const PREFIX: &str = "cargo-lockutils-";
/// Locked while the run that made the directory lives, so that a later run can tell whether it was
/// killed.
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

    /// The one that the user names, whether it is there or not.
    pub fn imagined(path: &Path) -> Result<Self> {
        let lock_path = std::path::absolute(path)?;
        Ok(LockDirectory {
            lock_path,
            ours: None,
        })
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

    /// Sees to it that nothing of the run lives on, nor stays in a fresh directory, if this process
    /// is killed.
    pub fn guard(&self, mark: Option<&RunMark>) -> Result<Guardian> {
        let base = self.ours.as_ref().map(|ours| &*ours.base);
        Guardian::start(mark, base).context("no process to clean up after us can be started")
    }

    /// Whether it was made for this run.
    pub fn is_fresh(&self) -> bool {
        self.ours.is_some()
    }

    /// A short path without blanks that leads to our own program, where the temporary folder allows
    /// one.
    pub fn link_to_us(&self, us: &Path) -> Result<Option<PathBuf>> {
        let Some(ours) = &self.ours else {
            return Ok(None);
        };
        let link = ours.base.join("lockutils");
        if !link.exists() {
            std::os::unix::fs::symlink(us, &link)
                .with_context(|| format!("{} cannot be made", link.display()))?;
        }
        Ok(Some(link))
    }

    /// Writes a file of cargo's configuration beside the locks; its path has no blank that cargo
    /// would split.
    pub fn write_config(&self, name: &str, text: &str) -> Result<ConfigFile> {
        let (path, temporary) = match &self.ours {
            Some(ours) => (ours.base.join(name), None),
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
            procfs::with_files_in(&ours.base).into_iter().next()
        };
        if let Some(user) = user {
            say::warning(format_args!(
                "the lock path {} stays, since process {user} still uses it: {}; a later run removes it",
                self.lock_path.display(),
                say::printable(&procfs::command(user))
            ));
            return Ok(());
        }
        // The tests are what counts: a directory that cannot be removed changes nothing of what
        // they found.
        if let Err(error) = remove_tree(&ours.base) {
            say::warning(format_args!(
                "the directory of this run stays, remove it by hand: {}: {error}",
                ours.base.display()
            ));
        }
        Ok(())
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

/// A directory of ours in the temporary folder.
#[derive(Debug)]
pub struct RunDirectory {
    pub base: PathBuf,
    pub state: RunState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// The run goes on.
    Runs,
    /// It was killed before it could remove the directory.
    Dead,
    /// Kept on purpose, by `--keep` or `show-env`.
    Kept,
    /// The lock path in it was removed by hand.
    Empty,
}

/// The directories of all runs of this user.
pub fn run_directories() -> Vec<RunDirectory> {
    let me = nix::unistd::getuid().as_raw();
    let entries = fs::read_dir(std::env::temp_dir());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_dir() && metadata.uid() == me)
        })
        .map(|entry| RunDirectory {
            state: state(&entry.path()),
            base: entry.path(),
        })
        .collect()
}

/// A directory without the owner's file is being made, or is none of ours.
fn state(base: &Path) -> RunState {
    let owner_is_dead = File::open(base.join(OWNER)).is_ok_and(|owner| owner.try_lock().is_ok());
    if !owner_is_dead {
        RunState::Runs
    } else if !base.join(LOCKS).exists() {
        RunState::Empty
    } else if base.join(KEPT).exists() {
        RunState::Kept
    } else {
        RunState::Dead
    }
}

/// The directory of which `lock_path` is the lock path, if it was kept on purpose.
pub fn kept_directory_of(lock_path: &Path) -> Option<PathBuf> {
    let base = lock_path.parent()?;
    let is_ours = base.file_name()?.to_str()?.starts_with(PREFIX)
        && lock_path.file_name()? == LOCKS
        && fs::symlink_metadata(base).ok()?.uid() == nix::unistd::getuid().as_raw()
        && base.join(KEPT).exists();
    is_ours.then(|| base.to_owned())
}

/// A run that was ended by SIGKILL, together with its guardian, could not remove its directory.
fn remove_what_killed_runs_left() {
    for directory in run_directories() {
        let is_gone = matches!(directory.state, RunState::Dead | RunState::Empty);
        if is_gone && procfs::with_files_in(&directory.base).is_empty() {
            let _ = remove_tree(&directory.base); // another run may be removing it as well
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

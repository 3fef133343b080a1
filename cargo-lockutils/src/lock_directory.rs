//! The lock path of one run: creation, marking as in use, and removal once it is unused.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::cli::DirectoryOptions;
use crate::guardian::Guardian;
use crate::remove_tree::remove_tree;
use crate::run_mark::RunMark;
use crate::{lock_scan, output, sys};

/// The environment variable of the lock path, shared with oslo.concurrency.
pub const VARIABLE: &str = "OSLO_LOCK_PATH";

const PREFIX: &str = "cargo-lockutils-";
/// File that the run keeps locked while it lives. If it is unlocked, the run was killed.
const OWNER: &str = "owner";
/// File that exists if the directory was kept on purpose.
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
    owner: File,
}

impl LockDirectory {
    /// Creates a fresh directory of mode 0700, or uses the one that the user names.
    pub fn make(options: &DirectoryOptions) -> Result<Self> {
        if let Some(directory) = &options.lock_path {
            fs::create_dir_all(directory)
                .and_then(|()| sys::canonical(directory))
                .map(|lock_path| LockDirectory {
                    lock_path,
                    ours: None,
                })
                .with_context(|| format!("cannot create the lock path {}", directory.display()))
        } else {
            remove_what_killed_runs_left();
            Self::make_fresh(options.keep)
        }
    }

    /// The directory that the user names, without creating it.
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
                "cannot create a lock directory in {}: set {} to a writable directory, or give \
                 --lock-path",
                parent.display(),
                sys::TEMPORARY
            )
        };
        let base = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&parent)
            .with_context(problem)?;
        let owner = File::create(base.path().join(OWNER)).with_context(problem)?;
        owner.lock().with_context(problem)?;
        let lock_path = base.path().join(LOCKS);
        sys::create_private_directory(&lock_path).with_context(problem)?;
        Ok(LockDirectory {
            lock_path,
            ours: Some(Ours {
                base: base.keep(),
                keep_if_failed,
                owner,
            }),
        })
    }

    /// The value of OSLO_LOCK_PATH.
    pub fn lock_path(&self) -> &Path {
        &self.lock_path
    }

    /// Calls `work` with a fresh lock path, under a guardian, and removes the directory afterwards.
    /// No process may use it any more then.
    pub fn with_fresh<T>(work: impl FnOnce(&Path) -> T) -> Result<T> {
        let directory = Self::make(&DirectoryOptions::default())?;
        let guardian = directory.guard(None)?;
        let result = work(directory.lock_path());
        directory.finish(false, true)?;
        guardian.dismiss();
        Ok(result)
    }

    /// Starts the guardian: if this process is killed, it ends the run's processes and removes a
    /// fresh directory.
    pub fn guard(&self, mark: Option<&RunMark>) -> Result<Guardian> {
        let base = self.ours.as_ref().map(|ours| &*ours.base);
        Guardian::start(mark, base).context(
            "cannot start the guardian process, which cleans up if \
             this one is killed",
        )
    }

    /// Returns `true` if the directory was created for this run.
    pub fn is_fresh(&self) -> bool {
        self.ours.is_some()
    }

    /// A link to our own program, in a fresh directory; its path has no blanks if TMPDIR has none.
    pub fn link_to_us(&self, us: &Path) -> Result<Option<PathBuf>> {
        let Some(ours) = &self.ours else {
            return Ok(None);
        };
        let link = ours
            .base
            .join(format!("lockutils{}", std::env::consts::EXE_SUFFIX));
        if !link.exists() {
            sys::link_program(us, &link)
                .with_context(|| format!("cannot create {}", link.display()))?;
        }
        Ok(Some(link))
    }

    /// Writes a cargo configuration file beside the locks.
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
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(ConfigFile {
            path,
            _temporary: temporary,
        })
    }

    /// Keeps the directory and returns the lock path.
    pub fn keep(self) -> Result<PathBuf> {
        if let Some(ours) = &self.ours {
            File::create(ours.base.join(KEPT))?;
        }
        Ok(self.lock_path)
    }

    /// Removes the directory, unless the run failed with `--keep` or a process still uses it.
    ///
    /// `unused` skips the search for such a process.
    pub fn finish(self, failed: bool, unused: bool) -> Result<()> {
        let Some(ours) = &self.ours else {
            return Ok(());
        };
        if failed && ours.keep_if_failed {
            let lock_path = self.keep()?;
            output::note(format_args!("kept the lock path {}", lock_path.display()));
            return Ok(());
        }
        let user = if unused {
            None
        } else {
            lock_scan::user_of_directory(&ours.base)
        };
        if let Some(user) = user {
            output::warning(format_args!(
                "the lock path {} stays, because process {} still uses it: {}; a later run \
                 removes it",
                self.lock_path.display(),
                user.pid,
                output::shorten(&output::printable(&user.command), output::LONGEST)
            ));
            return Ok(());
        }
        let Some(Ours { base, owner, .. }) = self.ours else {
            return Ok(());
        };
        let owner = match sys::OPEN_FILES_STAY {
            true => {
                drop(owner);
                None
            }
            // It says until the end that the run goes on.
            false => Some(owner),
        };
        // A directory that cannot be removed does not change the result of the tests.
        if let Err(error) = remove_tree(&base) {
            output::warning(format_args!(
                "cannot remove the directory of this run; remove it by hand: {}: {error}",
                base.display()
            ));
        }
        drop(owner);
        Ok(())
    }
}

/// A cargo configuration file, which exists as long as the run.
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

/// The directory of a run in the temporary folder.
#[derive(Debug)]
pub struct RunDirectory {
    pub base: PathBuf,
    pub state: RunState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// The run is still going on.
    Runs,
    /// The run was killed before it could remove the directory.
    Dead,
    /// Kept on purpose, by `--keep` or `show-env`.
    Kept,
    /// A user has removed the lock path in it.
    Empty,
}

/// The directories of all runs of this user.
pub fn run_directories() -> Vec<RunDirectory> {
    let entries = fs::read_dir(std::env::temp_dir());
    entries
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX))
        .filter(|entry| {
            entry
                .metadata()
                .is_ok_and(|metadata| metadata.is_dir() && sys::is_ours(&metadata))
        })
        .map(|entry| RunDirectory {
            state: state(&entry.path()),
            base: entry.path(),
        })
        .collect()
}

/// The state of a directory. Without the owner's file, it is just being created or does not belong
/// to a run.
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

/// The run directory of this lock path, if it was kept on purpose.
pub fn kept_directory_of(lock_path: &Path) -> Option<PathBuf> {
    let base = lock_path.parent()?;
    let is_ours = base.file_name()?.to_str()?.starts_with(PREFIX)
        && lock_path.file_name()? == LOCKS
        && sys::is_ours(&fs::symlink_metadata(base).ok()?)
        && base.join(KEPT).exists();
    is_ours.then(|| base.to_owned())
}

/// Removes the directories of runs that were killed together with their guardian.
fn remove_what_killed_runs_left() {
    for directory in run_directories() {
        let is_gone = matches!(directory.state, RunState::Dead | RunState::Empty);
        if is_gone && lock_scan::user_of_directory(&directory.base).is_none() {
            let _ = remove_tree(&directory.base); // another run may be removing it as well
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_directory_is_private_and_removed() {
        let directory = LockDirectory::make(&DirectoryOptions::default()).unwrap();
        let lock_path = directory.lock_path().to_owned();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&lock_path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o700);
        }
        directory.finish(false, false).unwrap();
        assert!(!lock_path.parent().unwrap().exists());
    }
}

//! An open lock file: opening it, waiting for its lock, and its errors.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::FileLockError;
use crate::sync::{Instant, sleep};
use crate::sys::{self, FileIdentity, Mode, NativePath, RawLockFile, WaitError};
use crate::wait::{AcquireFailure, Wait, WaitLimit};

/// Attempts to create a directory that other processes keep removing.
const CREATE_DIRECTORY_TRIES: usize = 100;

/// Maximum time for which another process may keep a file from being opened. On Linux that is a
/// lease on the file, which the kernel breaks after 45 s by default
/// (/proc/sys/fs/lease-break-time).
const UNAVAILABLE_AT_MOST: Duration = Duration::from_secs(60);
/// The first pause between two attempts to open such a file, and the longest. Nothing reports the
/// end of a lease.
const PAUSES: [Duration; 2] = [Duration::from_micros(50), Duration::from_millis(2)];

/// An open lock file. It is never written to, truncated or deleted here.
#[derive(Debug)]
pub(crate) struct LockFile(RawLockFile);

impl LockFile {
    /// Opens the file at `path`, and creates it and its directories if they are missing.
    ///
    /// Waits as `wait` and `limit` say while another process keeps the file from being opened.
    pub(crate) fn open(
        path: &Path,
        wait: Wait,
        limit: &mut WaitLimit<'_>,
    ) -> Result<Self, FileLockError> {
        let failed = |source| FileLockError::Io {
            path: path.to_owned(),
            source,
        };
        let mut tries = 0;
        let mut unavailable_since = None;
        let [mut pause, longest_pause] = PAUSES;
        loop {
            let error = match RawLockFile::open(path) {
                Ok(file) => return Ok(LockFile(file)),
                Err(error) => error,
            };
            match error.kind() {
                io::ErrorKind::NotFound if tries < CREATE_DIRECTORY_TRIES => {
                    tries += 1;
                    if let Some(directory) = path.parent() {
                        create_directory(directory).map_err(failed)?;
                    }
                }
                io::ErrorKind::WouldBlock
                    if unavailable_since.get_or_insert_with(Instant::now).elapsed()
                        < UNAVAILABLE_AT_MOST =>
                {
                    let next = limit.next_look(wait);
                    if wait == Wait::Never {
                        return Err(AcquireFailure::Busy.into());
                    }
                    let left = match next {
                        Wait::Until(next) => next.saturating_duration_since(Instant::now()),
                        _ => longest_pause,
                    };
                    sleep(pause.min(left));
                    pause = (pause * 2).min(longest_pause);
                    if limit.is_over(wait) {
                        return Err(AcquireFailure::TimedOut.into());
                    }
                }
                _ => return Err(failed(explain_open(error))),
            }
        }
    }

    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.0.identity()
    }

    /// Returns `true` if `path` names this file at this moment.
    pub(crate) fn is_at(&self, path: &Path) -> io::Result<bool> {
        Ok(sys::identity_at(path)? == Some(self.identity()))
    }

    /// [`is_at`](Self::is_at) for a path that is checked often.
    #[inline]
    pub(crate) fn is_at_native(&self, path: &NativePath) -> io::Result<bool> {
        Ok(path.identity()? == Some(self.identity()))
    }

    /// Acquires the lock without waiting. Returns `false` if it is held. `path` is for the error.
    #[inline]
    pub(crate) fn try_lock(&self, mode: Mode, path: &Path) -> Result<bool, FileLockError> {
        self.0
            .try_lock(mode)
            .map_err(|error| explain_lock(error, path))
    }

    /// Waits for the lock, also after a [`try_lock`](Self::try_lock) that returned `false`. `path`
    /// is for the error.
    pub(crate) fn lock(
        &self,
        mode: Mode,
        wait: Wait,
        path: &Path,
        limit: &mut WaitLimit<'_>,
    ) -> Result<(), FileLockError> {
        loop {
            let cancel = limit.cancel();
            let until = match limit.next_look(wait) {
                Wait::Until(until) => Some(until),
                Wait::Forever | Wait::Never => None,
            };
            let outcome = match self.0.lock(mode, until, cancel) {
                // The limit was only there to warn of a long wait: wait without the warning.
                Err(WaitError::NoTimer(_)) if wait == Wait::Forever && cancel.is_none() => {
                    self.0.lock(mode, None, None)
                }
                outcome => outcome,
            };
            match outcome {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(WaitError::NoTimer(reason)) => return Err(FileLockError::NoTimer(reason)),
                Err(WaitError::Refused(error)) => return Err(explain_lock(error, path)),
            }
            if limit.is_over(wait) {
                return Err(AcquireFailure::TimedOut.into());
            }
        }
    }

    pub(crate) fn unlock(&self) {
        self.0.unlock();
    }
}

/// Creates a directory. A directory that another process removes at the same time is not an error:
/// the next attempt to open the file detects it.
fn create_directory(directory: &Path) -> io::Result<()> {
    match fs::create_dir_all(directory) {
        // It existed when mkdir(2) ran, and was removed before the check.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
            ) =>
        {
            Ok(())
        }
        outcome => outcome,
    }
}

fn explain_open(error: io::Error) -> io::Error {
    match sys::advice_on_open(&error) {
        Some(advice) => explained(advice.into(), error),
        None => error,
    }
}

/// An error that is not about another holder means that the file system cannot lock.
#[cold]
fn explain_lock(error: io::Error, path: &Path) -> FileLockError {
    let system = sys::file_system_of(path).unwrap_or_else(|| "unknown".into());
    let advice = format!(
        "the file system ({system}) refused the lock; put the lock path on one that supports fcntl \
         locks"
    );
    FileLockError::Io {
        path: path.to_owned(),
        source: explained(advice, error),
    }
}

fn explained(advice: String, source: io::Error) -> io::Error {
    io::Error::new(source.kind(), Explained { advice, source })
}

#[derive(Debug, thiserror::Error)]
#[error("{advice} ({source})")]
struct Explained {
    advice: String,
    source: io::Error,
}

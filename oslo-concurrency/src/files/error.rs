//! Errors of locks on files.

use std::io;
use std::path::PathBuf;

use crate::wait::AcquireFailure;

/// The reason why a lock on a file was not acquired.
#[derive(Debug)]
pub(crate) enum FileLockError {
    /// The lock is held.
    NotAcquired(AcquireFailure),
    /// The lock is held, and the wait for it cannot be limited; with the missing resource and the
    /// next step.
    NoTimer(String),
    /// An operation on the file at `path` failed.
    Io { path: PathBuf, source: io::Error },
}

impl From<AcquireFailure> for FileLockError {
    fn from(failure: AcquireFailure) -> Self {
        FileLockError::NotAcquired(failure)
    }
}

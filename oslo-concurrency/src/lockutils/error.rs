use std::io;
use std::path::PathBuf;

use crate::files::FileLockError;
use crate::wait::AcquireFailure;

/// The reason why a lock was not acquired. Each message names the lock and the next step.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An external lock was requested, but no lock path is set.
    #[error(
        "external lock {name:?} needs a lock path: set the environment variable OSLO_LOCK_PATH, \
         call lockutils::set_defaults, or pass a lock_path to the call"
    )]
    LockPathRequired {
        /// The lock's name.
        name: String,
    },
    /// The name cannot be made into a file name.
    #[error("{name:?} cannot name a lock: {reason}")]
    InvalidName {
        /// The name as given.
        name: String,
        /// The problem with the name, and what to write instead.
        reason: &'static str,
    },
    /// The lock is held, and the caller chose not to wait (`blocking(false)`).
    #[error("lock {name:?} is held; try again later, or wait for it with a timeout")]
    NotAcquired {
        /// The lock's name.
        name: String,
    },
    /// The lock was still held when the timeout expired. The wait is over for good: it never
    /// acquires the lock later.
    #[error(
        "lock {name:?} was still held when the timeout expired; allow more time, or find out who \
         holds it"
    )]
    Timeout {
        /// The lock's name.
        name: String,
    },
    /// The calling thread, or the calling asynchronous section, already holds the lock and would
    /// wait for itself.
    #[error(
        "lock {name:?} is already held by this thread or section, which would wait for itself \
         forever; release it first, or move the inner part into a function that is not synchronized"
    )]
    WouldDeadlock {
        /// The lock's name.
        name: String,
    },
    /// The calling thread holds a reader-writer lock for reading and tried to acquire it for
    /// writing.
    #[error(
        "lock {name:?} is held for reading by this thread, which therefore cannot acquire it for \
         writing: drop the reader first, or acquire it for writing from the start"
    )]
    UpgradeRefused {
        /// The lock's name, or its path.
        name: String,
    },
    /// The lock is held, and this process cannot limit its wait: every real-time signal is in use,
    /// or no thread can be started. Nothing is wrong with the lock file; a wait without a limit
    /// needs neither.
    #[error("lock {name:?} is held, and the wait for it cannot be limited: {reason}")]
    TimerUnavailable {
        /// The lock's name.
        name: String,
        /// The missing resource, and the next step.
        reason: String,
    },
    /// The operating system refused an operation on the lock file.
    #[error("external lock {name:?}: {path:?}: {source}")]
    Io {
        /// The lock's name.
        name: String,
        /// The lock file.
        path: PathBuf,
        /// The error from the operating system.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn not_acquired(name: &str, failure: AcquireFailure) -> Self {
        let name = name.to_owned();
        match failure {
            AcquireFailure::Busy => Error::NotAcquired { name },
            AcquireFailure::TimedOut => Error::Timeout { name },
            AcquireFailure::HeldBySelf => Error::WouldDeadlock { name },
        }
    }

    pub(crate) fn on_file(name: &str, error: FileLockError) -> Self {
        match error {
            FileLockError::NotAcquired(failure) => Error::not_acquired(name, failure),
            FileLockError::NoTimer(reason) => Error::TimerUnavailable {
                name: name.to_owned(),
                reason,
            },
            FileLockError::Io { path, source } => Error::Io {
                name: name.to_owned(),
                path,
                source,
            },
        }
    }
}

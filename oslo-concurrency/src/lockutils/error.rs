use std::io;
use std::path::PathBuf;

use crate::files::{Failure, TimerUnavailable};
use crate::wait::Missed;

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
    /// The lock is held, and the caller asked not to wait (`blocking(false)`).
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
    pub(crate) fn missed(name: &str, missed: Missed) -> Self {
        let name = name.to_owned();
        match missed {
            Missed::Busy => Error::NotAcquired { name },
            Missed::TimedOut => Error::Timeout { name },
            Missed::HeldBySelf => Error::WouldDeadlock { name },
        }
    }

    pub(crate) fn external(name: &str, failure: Failure) -> Self {
        match failure {
            Failure::Missed(missed) => Error::missed(name, missed),
            Failure::Io { path, source } => match about_the_timer(&source) {
                Some(reason) => Error::TimerUnavailable {
                    name: name.to_owned(),
                    reason: reason.to_string(),
                },
                None => Error::Io {
                    name: name.to_owned(),
                    path,
                    source,
                },
            },
        }
    }
}

/// The wait failed before the kernel was asked for the lock, whatever was wrapped around that since.
fn about_the_timer(error: &io::Error) -> Option<&TimerUnavailable> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>() {
            // Its `source` is the source of what is inside.
            Some(error) => error.get_ref().map(|inside| inside as _),
            None => error.source(),
        };
    }
    None
}

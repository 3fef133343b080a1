//! Types of the seam that are the same on every platform.

use std::fmt;
use std::io;
use std::time::Duration;

/// The kind of a lock on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Excludes every other lock.
    Exclusive,
    /// Excludes exclusive locks.
    Shared,
}

/// The reason why a wait for a lock on a file failed.
#[derive(Debug)]
pub(crate) enum WaitError {
    /// The system cannot limit the wait; with the missing resource and the next step. The lock was
    /// not requested.
    #[cfg_attr(
        any(target_os = "macos", target_os = "freebsd"),
        allow(dead_code, reason = "waits there need nothing that can be missing")
    )]
    NoTimer(String),
    /// The system refused the lock.
    Refused(io::Error),
}

/// A process that holds a lock on a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// The command line, or the process's name in brackets if it has none.
    pub(crate) command: String,
    /// Age of the process. No system records when a lock was acquired.
    pub(crate) running_for: Option<Duration>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}: {}", self.pid, self.command)?;
        match self.running_for {
            None => Ok(()),
            Some(age) => write!(f, " (running for {} s)", age.as_secs()),
        }
    }
}

/// A thread of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ThreadInfo {
    /// The system's id of the thread, as debuggers show it.
    pub(crate) id: u64,
    /// The thread's name, or `None` if the thread has ended.
    pub(crate) name: Option<String>,
}

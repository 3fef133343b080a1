//! A lock on a file, as the system shows it.

use std::fmt;

/// The system call that took a lock. OFD and POSIX locks conflict with each other, but not with
/// those of flock(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    feature = "stress",
    derive(serde::Serialize),
    serde(rename_all = "lowercase")
)]
pub enum LockKind {
    /// Open-file-description lock: `F_OFD_SETLK` of fcntl(2).
    Ofd,
    /// Record lock of a process: `F_SETLK` of fcntl(2).
    Posix,
    /// Lock of flock(2).
    Flock,
}

/// Mode of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    feature = "stress",
    derive(serde::Serialize),
    serde(rename_all = "lowercase")
)]
pub enum LockMode {
    /// One holder.
    Exclusive,
    /// Any number of holders, as long as none is exclusive.
    Shared,
}

/// Kind and mode of a lock on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileLock {
    /// System call that took it.
    pub kind: LockKind,
    /// Exclusive or shared.
    pub mode: LockMode,
}

impl fmt::Display for LockKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LockKind::Ofd => "OFD",
            LockKind::Posix => "POSIX",
            LockKind::Flock => "flock",
        })
    }
}

impl fmt::Display for FileLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileLock { kind, mode } = self;
        let mode = match mode {
            LockMode::Exclusive => "exclusive",
            LockMode::Shared => "shared",
        };
        write!(f, "{kind} {mode}")
    }
}

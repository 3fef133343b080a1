//! Locks on files, as they are shown.

use std::fmt;

/// The system call that took a lock. OFD and POSIX locks exclude each other, but not always those of
/// flock(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "not every system has them")
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(windows, allow(dead_code, reason = "Windows does not tell it"))]
pub enum LockMode {
    /// One holder.
    Exclusive,
    /// Any number of holders, as long as none is exclusive.
    Shared,
}

/// Kind and mode of a lock on a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileLock {
    pub kind: LockKind,
    pub mode: LockMode,
}

impl fmt::Display for FileLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            LockKind::Ofd => "OFD",
            LockKind::Posix => "POSIX",
            LockKind::Flock => "flock",
        };
        let mode = match self.mode {
            LockMode::Exclusive => "exclusive",
            LockMode::Shared => "shared",
        };
        write!(f, "{kind} {mode}")
    }
}

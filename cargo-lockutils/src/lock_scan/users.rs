//! Users of lock files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::lock::FileLock;

/// A process, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub pid: i32,
    pub command: String,
    /// Time since the process was started. No system records when a lock was taken.
    pub age: Option<Duration>,
}

/// One use of a lock file by a process.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct User {
    pub role: Role,
    /// `None` if the process may not be examined.
    pub process: Option<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    windows,
    allow(dead_code, reason = "Windows does not tell who holds a lock")
)]
pub enum Role {
    Holds(FileLock),
    Waits(FileLock),
    /// The file is open without a lock: it was locked, will be, or is being polled, as Python's
    /// oslo does. Or the system does not tell.
    HasOpen,
}

/// What a system tells of the users of some files.
#[derive(Debug, Default)]
pub struct Found {
    /// By the path below the directory.
    pub users: HashMap<PathBuf, Vec<User>>,
    /// Number of processes that could not be examined, since they belong to other users.
    pub hidden: usize,
}

/// The processes that have a file open.
#[cfg(unix)]
#[derive(Debug, Default)]
pub struct Openers {
    pub processes: Vec<Process>,
    /// Why there may be others.
    pub doubt: Option<String>,
}

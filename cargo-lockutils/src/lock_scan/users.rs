//! Users of lock files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use lockutils_harness::model::FileLock;

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
    /// `None` if the process may not be inspected.
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

/// The users of some files, as far as the system shows them.
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

#[cfg(test)]
pub mod for_tests {
    use lockutils_harness::model::{LockKind, LockMode};

    use super::*;

    pub const OFD: FileLock = FileLock {
        kind: LockKind::Ofd,
        mode: LockMode::Exclusive,
    };

    pub fn user(role: Role, pid: i32) -> User {
        let process = Process {
            pid,
            command: format!("process {pid}"),
            age: None,
        };
        User {
            role,
            process: Some(process),
        }
    }
}

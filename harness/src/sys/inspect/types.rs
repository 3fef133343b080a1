//! Types that are the same on every platform.

use std::path::PathBuf;
use std::time::Duration;

/// The time for which the machine keeps processes from running.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Starvation {
    /// Time for which their threads were ready and did not run.
    pub(crate) run_delay: Duration,
    /// A thread waits for a disk.
    pub(crate) on_disk: bool,
}

/// A file on which a process has an exclusive lock.
#[derive(Clone, Debug)]
pub(crate) struct LockedFile {
    pub(crate) path: PathBuf,
    /// Device and inode, unless it is gone.
    pub(crate) identity: Option<(u64, u64)>,
    /// The kind of the lock, in words.
    pub(crate) lock: String,
}

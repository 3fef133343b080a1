//! The operating system: what the rest of the harness needs of it.
//!
//! Each item states what it guarantees on every system, and passes the call on to the platform: a
//! folder beside this file with items of the same names. What a system cannot do is an [error with
//! its name](NotAvailable), never a step that does nothing. [`inspect`] looks at other processes,
//! which only Linux allows in full.

pub(crate) mod inspect;
mod missing;
mod types;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub(crate) use missing::{Means, NotAvailable, lacks};
#[cfg(feature = "stress")]
pub(crate) use platform::program;
pub(crate) use platform::{Descriptors as NoDescriptors, SharedFile, SignalStorm, describe_signal};
#[cfg(windows)]
pub(crate) use platform::{Inherited, Job, KILLED, directory, inherited};
#[cfg(unix)]
pub(crate) use platform::{SharedHandle, end_fork_with, end_with_parent, inheritable_file};
#[cfg(all(unix, feature = "stress"))]
pub(crate) use platform::{end_of, limit};
pub(crate) use types::{DiskSize, Side};

// ---- time and memory ----

/// Nanoseconds on the monotonic clock, which all processes of a machine share.
pub(crate) fn monotonic_nanoseconds() -> u64 {
    platform::monotonic_nanoseconds()
}

// A file for memory that processes share. Forked processes, and programs that this one executes for
// a run of a test, find it by its handle.
impl SharedFile {
    /// A file of so many bytes, all 0 unless another process of the run has written to it.
    pub(crate) fn create(bytes: u64) -> io::Result<Self> {
        let file = Self::create_empty()?;
        if file.as_file().metadata()?.len() < bytes {
            file.as_file().set_len(bytes)?;
        }
        Ok(file)
    }

    /// The file, to map it.
    pub(crate) fn as_file(&self) -> &File {
        self.file()
    }
}

/// The path that all processes of a run use: that of the test's own process, when the test comes to
/// this call in a process that was executed for one of its runs. Forked processes have it anyway.
pub(crate) fn agree(path: &Path) -> io::Result<PathBuf> {
    platform::agree(path)
}

// ---- processes ----

/// Number of forks between the first process and this one; always 0 without fork(2).
pub(crate) fn forks() -> u64 {
    platform::forks()
}

/// Kills this process: no destructor and no handler runs.
pub(crate) fn kill_this_process() -> ! {
    platform::kill_this_process()
}

/// Kills a process of this user. Nothing happens if it has ended.
pub(crate) fn kill(process: u32) {
    platform::kill(process);
}

/// Stops this process until another one continues it. Only where [`lacks`] says so.
pub(crate) fn pause_this_process() {
    platform::pause_this_process();
}

/// Forks a child that leaves after this time and is not a child of this process any more.
pub(crate) fn fork_orphan(stays: std::time::Duration) {
    platform::fork_orphan(stays);
}

/// Forks, and in the parent waits for the end of the child.
///
/// # Safety
/// No other thread of this process holds anything that the child needs.
///
/// # Errors
/// The system has no fork(2), or no room for another process.
pub(crate) unsafe fn fork_and_wait() -> io::Result<Side> {
    // SAFETY: the caller's promise.
    unsafe { platform::fork_and_wait() }
}

/// Ends this process at once, without destructors.
pub(crate) fn exit_now(status: i32) -> ! {
    platform::exit_now(status)
}

/// Writes to standard output past its buffer.
#[cfg(feature = "explore")]
pub(crate) fn write_to_standard_output(bytes: &[u8]) -> io::Result<()> {
    platform::write_to_standard_output(bytes)
}

// ---- disks ----

/// The size of the file system that holds `path`.
pub(crate) fn disk_size(path: &Path) -> io::Result<DiskSize> {
    platform::disk_size(path)
}

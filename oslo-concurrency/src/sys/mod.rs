//! The operating system: everything that the locks need from it.
//!
//! Each item states what it guarantees on every system, and passes the call on to the platform, a
//! folder beside this file with items of the same names. Outside of this module only `processutils`
//! makes system calls, which a test checks (`tests/tests/layers.rs`).
//!
//! A platform with fork(2) has one more duty: in a forked child, before any other code of this
//! crate runs there, it calls [`fork::begin_generation`](crate::fork::begin_generation), gives the
//! thread a new number, and closes the copies of all lock files. A child made by exec inherits no
//! lock file on any platform.

#[cfg(any(windows, target_os = "freebsd"))]
mod ask_again;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod bsd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "macos"))]
mod numbers;
#[cfg(test)]
mod process_tests;
#[cfg(test)]
mod tests;
mod types;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Instant;

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
use bsd as platform;
#[cfg(target_os = "linux")]
use linux as platform;
pub(crate) use platform::FileIdentity;
pub(crate) use types::{Holder, Mode, ThreadInfo, WaitError};
#[cfg(windows)]
use windows as platform;

#[cfg(all(test, target_os = "linux"))]
pub(crate) use platform::for_tests;
#[cfg(all(any(test, fuzzing), target_os = "linux"))]
pub use platform::properties;

#[cfg(not(any(
    target_os = "linux",
    target_os = "macos",
    target_os = "freebsd",
    windows
)))]
compile_error!(
    "oslo-concurrency has locks for Linux, macOS, FreeBSD and Windows, not for this operating system"
);

// ---- lock files ----

/// An open lock file. Its lock belongs to this value: two values on the same file exclude each
/// other, also in one thread, and a lock is released when its value is dropped or its process ends.
///
/// The locks conflict with those that Python's fasteners takes on the same file.
#[derive(Debug)]
pub(crate) struct RawLockFile(platform::LockFile);

impl RawLockFile {
    /// Opens the file at `path`, and creates it if it is missing.
    ///
    /// The content does not change. No link is followed at the end of the path. Neither a forked
    /// child nor a program started by this process keeps the file open.
    ///
    /// # Errors
    /// * `NotFound`: a directory of the path is missing.
    /// * `WouldBlock`: another process keeps the file from being opened for the moment; nothing
    ///   reports the end of that.
    /// * Others, for which [`advice_on_open`] may have advice: for instance if the file is not a
    ///   regular file.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        platform::LockFile::open(path).map(RawLockFile)
    }

    /// The identity of the file, which no other file has while this value exists.
    #[inline]
    pub(crate) fn identity(&self) -> FileIdentity {
        self.0.identity()
    }

    /// Acquires the lock on the whole file without waiting. Returns `false` if another lock
    /// conflicts with it.
    ///
    /// # Errors
    /// The file system refuses the lock.
    #[inline]
    pub(crate) fn try_lock(&self, mode: Mode) -> io::Result<bool> {
        self.0.try_lock(mode)
    }

    /// Waits for the lock on the whole file, in the system and not by asking again. Exceptions: on
    /// FreeBSD a wait with `until` or `cancel` asks again, each 5 ms at least; on Linux a wait on
    /// NFS or 9p, whose servers may not wake it, ends after 100 ms at most.
    ///
    /// Returns `true` if the lock was acquired. Returns `false` if `until` has passed, if `cancel`
    /// is cancelled, or for no reason at all: the caller checks, and calls again. A wait that has
    /// returned `false` never acquires the lock later.
    ///
    /// # Errors
    /// [`WaitError::NoTimer`] if the system cannot limit the wait; without `until` and `cancel`
    /// that does not happen.
    pub(crate) fn lock(
        &self,
        mode: Mode,
        until: Option<Instant>,
        cancel: Option<&Cancel>,
    ) -> Result<bool, WaitError> {
        self.0.lock(mode, until, cancel.map(|cancel| &cancel.0))
    }

    /// Releases the lock, if it is held.
    #[inline]
    pub(crate) fn unlock(&self) {
        self.0.unlock();
    }
}

/// Ends a wait in [`RawLockFile::lock`] from another thread.
#[derive(Debug, Default)]
pub(crate) struct Cancel(platform::Cancel);

impl Cancel {
    /// Makes the wait return soon, whether it has begun or not. Does not block.
    #[cfg(feature = "tokio")]
    pub(crate) fn cancel(&self) {
        self.0.cancel();
    }

    /// Returns `true` once [`cancel`](Self::cancel) was called.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }
}

/// A path in the form that the system takes, to check it often without converting it.
#[derive(Debug)]
pub(crate) struct NativePath(platform::NativePath);

impl NativePath {
    pub(crate) fn new(path: &Path) -> Self {
        NativePath(platform::NativePath::new(path))
    }

    /// [`identity_at`] this path.
    #[inline]
    pub(crate) fn identity(&self) -> io::Result<Option<FileIdentity>> {
        self.0.identity()
    }
}

/// The identity of the file that `path` names at this moment: of a link itself, not of what it
/// leads to. `None` if there is no such file.
pub(crate) fn identity_at(path: &Path) -> io::Result<Option<FileIdentity>> {
    platform::identity_at(path)
}

/// The cause of an error of [`RawLockFile::open`] and the next step, for errors whose own message
/// is not enough.
pub(crate) fn advice_on_open(error: &io::Error) -> Option<&'static str> {
    platform::advice_on_open(error)
}

/// The type of the file system that holds `path`, such as `ext4`, for error messages.
pub(crate) fn file_system_of(path: &Path) -> Option<String> {
    platform::file_system_of(path)
}

/// The processes that hold a lock on the file at `path`, if that conflicts with the locks of
/// [`RawLockFile`]; each process once, this one included. Processes that this one may not inspect
/// are missing. Only Linux names them.
pub(crate) fn holders_of(path: &Path) -> io::Result<Vec<Holder>> {
    platform::holders_of(path)
}

/// Said where [`holders_of`] finds no process.
pub(crate) const NO_HOLDER_FOUND: &str = platform::NO_HOLDER_FOUND;

/// Characters that part a path into names: `/`, and Python's `os.sep`.
pub(crate) const SEPARATORS: &[char] = platform::SEPARATORS;

/// The problem with a name that the system refuses, or takes for something else than a file in the
/// lock path; and the next step. The name is not empty, and has no separator and no NUL.
pub(crate) fn problem_with_file_name(name: &str) -> Option<&'static str> {
    platform::problem_with_file_name(name)
}

/// The longest file name that file systems take, in bytes of [`OsStr::len`].
pub(crate) const LONGEST_FILE_NAME: usize = platform::LONGEST_FILE_NAME;

/// The start of a file name, at most `length` bytes of [`OsStr::len`].
pub(crate) fn start_of_file_name(name: &OsStr, length: usize) -> OsString {
    platform::start_of_file_name(name, length)
}

// ---- threads and the process ----

/// The number of the calling thread: not 0, below 2^63, and never used for another thread of this
/// process.
#[inline]
pub(crate) fn current_thread() -> u64 {
    platform::current_thread()
}

/// The thread of this process that has the number `number`, for messages.
pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    platform::thread_info(number)
}

/// Starts a thread of this crate's own. It handles none of the signals of the process: their
/// handlers run where the program expects them.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
    platform::spawn(name, run)
}

/// The value of an environment variable. Takes no lock that a forked child may have inherited
/// locked.
pub(crate) fn environment_variable(name: &CStr) -> Option<OsString> {
    platform::environment_variable(name)
}

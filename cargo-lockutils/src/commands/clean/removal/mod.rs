//! Removal of one unused lock file, without ever letting two processes hold the lock.
//!
//! No process may have the file open: then none holds the lock or is about to.

#[cfg(target_os = "linux")]
mod lease;
#[cfg(unix)]
mod lock;
#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod no_lease;
mod outcome;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::path::Path;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub use outcome::Outcome;

/// Removes the file at `path`; with `dry_run`, only reports what it would do.
///
/// # Errors
/// Returns an error if a system call fails.
pub fn remove(path: &Path, dry_run: bool) -> io::Result<Outcome> {
    platform::remove(path, dry_run)
}

/// Returns `true` for the name of a file that a killed run has left.
pub fn is_left_over(name: &str) -> bool {
    platform::is_left_over(name)
}

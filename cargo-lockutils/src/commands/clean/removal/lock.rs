//! The lock that conflicts with all that lock such a file.

use std::fs::File;
use std::io;

#[cfg(not(target_os = "freebsd"))]
use nix::libc;

/// Acquires it without waiting.
#[cfg(not(target_os = "freebsd"))]
pub fn lock(file: &File) -> io::Result<bool> {
    crate::sys::lock_whole_file(file, libc::F_OFD_SETLK, libc::F_WRLCK as libc::c_short)
}

/// Acquires it without waiting. On FreeBSD it is that of flock(2), which conflicts with record
/// locks there.
#[cfg(target_os = "freebsd")]
pub fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

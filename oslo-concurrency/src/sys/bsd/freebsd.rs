//! FreeBSD's locks: flock(2), because there are no open-file-description locks.
//!
//! The kernel keeps locks of flock(2) and of fcntl(2) in one list, and compares nothing but owner,
//! kind and range (sys/kern/kern_lockf.c, `lf_blocks`). So these conflict with the record locks
//! that Python's fasteners takes. Their owner is the open file: other descriptors of the file do
//! not free them, and threads exclude each other.
//!
//! flock(2) has no deadline. A wait with one asks again, and so does one that can be cancelled.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use super::cancel::Cancel;
use crate::sys::ask_again::ask_again;
use crate::sys::types::Mode;
use crate::sys::unix::ProcessFd;

fn operation(mode: Mode) -> libc::c_int {
    match mode {
        Mode::Exclusive => libc::LOCK_EX,
        Mode::Shared => libc::LOCK_SH,
    }
}

fn flock(fd: &ProcessFd, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open while it is borrowed; the call touches no memory.
    if unsafe { libc::flock(fd.as_raw_fd(), operation) } == 0 {
        return Ok(());
    }
    Err(io::Error::last_os_error())
}

/// Acquires the lock if no other lock conflicts with it.
pub(super) fn try_lock(fd: &ProcessFd, mode: Mode) -> io::Result<bool> {
    loop {
        return match flock(fd, operation(mode) | libc::LOCK_NB) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

/// Waits until the lock is acquired, `until` has passed, `cancel` is cancelled, or a signal
/// arrives. Returns `true` if the lock was acquired.
///
/// A lock that is granted while a signal arrives is acquired (`lf_setlock` there).
pub(super) fn wait(
    fd: &ProcessFd,
    mode: Mode,
    until: Option<Instant>,
    cancel: Option<&Cancel>,
) -> io::Result<bool> {
    if until.is_some() || cancel.is_some() {
        let is_cancelled = || cancel.is_some_and(Cancel::is_cancelled);
        return ask_again(|| try_lock(fd, mode), until, is_cancelled);
    }
    match flock(fd, operation(mode)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(error) => Err(error),
    }
}

/// Releases the lock, if it is held.
pub(super) fn unlock(fd: &ProcessFd) -> io::Result<()> {
    flock(fd, libc::LOCK_UN)
}

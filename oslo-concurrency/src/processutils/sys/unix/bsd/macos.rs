//! Calls that differ on macOS.

use std::os::fd::{AsRawFd, BorrowedFd};

pub(crate) use super::descriptors::mark_each_close_on_exec as inherit_nothing;

pub(crate) const UNLIMITED: u64 = libc::RLIM_INFINITY;

/// The limit as setrlimit(2) takes it.
pub(crate) fn limit(value: u64) -> libc::rlim_t {
    value
}

/// Nothing has to be put back: the setting ends with the pipe.
pub(crate) struct NoSigpipe;

/// Lets a write to `pipe` fail when no process reads it any more, instead of ending the program.
pub(crate) fn without_sigpipe(pipe: BorrowedFd<'_>) -> NoSigpipe {
    // SAFETY: the descriptor is open, and the command takes a number.
    unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETNOSIGPIPE, 1) };
    NoSigpipe
}

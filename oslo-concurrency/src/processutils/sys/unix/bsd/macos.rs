//! What macOS does in its own way.

use std::os::fd::{AsRawFd, BorrowedFd};

pub(in crate::processutils::sys::unix) use super::mark_each_close_on_exec as inherit_nothing;

pub(in crate::processutils::sys) const UNLIMITED: u64 = libc::RLIM_INFINITY;

/// The limit as setrlimit(2) takes it.
pub(in crate::processutils::sys::unix) fn limit(value: u64) -> libc::rlim_t {
    value
}

/// Nothing has to be put back: the setting ends with the pipe.
pub(in crate::processutils::sys::unix) struct NoSigpipe;

/// Lets a write to `pipe` fail when nobody reads any more, instead of ending the program.
pub(in crate::processutils::sys::unix) fn without_sigpipe(pipe: BorrowedFd<'_>) -> NoSigpipe {
    // SAFETY: the descriptor is open, and the command takes a number.
    unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETNOSIGPIPE, 1) };
    NoSigpipe
}

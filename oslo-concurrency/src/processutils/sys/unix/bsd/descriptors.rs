//! Descriptors that a child does not inherit.

use std::os::fd::RawFd;

/// The first descriptor that a child does not inherit.
pub(super) const FIRST: RawFd = 3;

/// Marks every descriptor but the standard three close-on-exec, one by one. Async-signal-safe.
pub(crate) fn mark_each_close_on_exec() {
    // SAFETY: a plain number comes out: the limit below which descriptors are opened.
    let end = unsafe { libc::getdtablesize() };
    for fd in FIRST..end {
        // SAFETY: a plain number; the call fails if it is not a descriptor.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

//! What a child does not inherit.

use std::os::fd::RawFd;

/// The first descriptor that a child does not keep.
pub(super) const FIRST: RawFd = 3;

/// Marks every descriptor but the standard three close-on-exec, one by one. Async-signal-safe.
pub(crate) fn mark_each_close_on_exec() {
    // SAFETY: a plain number comes out: the limit below which descriptors are opened.
    let end = unsafe { libc::getdtablesize() };
    for fd in FIRST..end {
        // SAFETY: a plain number, of which the flag changes if it is a descriptor.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

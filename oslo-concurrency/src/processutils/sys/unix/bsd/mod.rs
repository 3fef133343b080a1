//! macOS and FreeBSD: the end of a process by kqueue(2).

#[cfg(target_os = "freebsd")]
mod freebsd;
mod handle;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "freebsd")]
use freebsd as variant;
#[cfg(target_os = "macos")]
use macos as variant;

pub(in crate::processutils::sys) use handle::Handle;
pub(super) use handle::{Early, EarlyPair};
pub(in crate::processutils::sys) use variant::UNLIMITED;
pub(super) use variant::{inherit_nothing, limit, without_sigpipe};

use std::os::fd::RawFd;

/// The first descriptor that a child does not keep.
const FIRST: RawFd = 3;

/// Marks every descriptor but the standard three close-on-exec, one by one. Async-signal-safe.
fn mark_each_close_on_exec() {
    // SAFETY: a plain number comes out: the limit below which descriptors are opened.
    let end = unsafe { libc::getdtablesize() };
    for fd in FIRST..end {
        // SAFETY: a plain number, of which the flag changes if it is a descriptor.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

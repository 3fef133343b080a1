//! Calls that differ on FreeBSD.

use std::os::fd::BorrowedFd;

use super::descriptors::{FIRST, mark_each_close_on_exec};
use crate::processutils::sys::unix::sigpipe::SigpipeHeldBack;

/// `RLIM_INFINITY`, which is signed here.
pub(crate) const UNLIMITED: u64 = i64::MAX as u64;

/// The limit as setrlimit(2) takes it.
pub(crate) fn limit(value: u64) -> libc::rlim_t {
    libc::rlim_t::try_from(value).unwrap_or(libc::RLIM_INFINITY)
}

/// Lets a write to `_pipe` fail when no process reads it any more, instead of ending the program.
pub(crate) fn without_sigpipe(_pipe: BorrowedFd<'_>) -> SigpipeHeldBack {
    SigpipeHeldBack::new()
}

/// Marks every descriptor but the standard three close-on-exec. Async-signal-safe.
pub(crate) fn inherit_nothing() {
    // SAFETY: the call takes plain numbers and changes only flags of this process's descriptors.
    let done = unsafe {
        libc::close_range(
            FIRST as libc::c_uint,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC as libc::c_int,
        )
    };
    if done != 0 {
        // FreeBSD before 13.1 does not know the flag.
        mark_each_close_on_exec();
    }
}

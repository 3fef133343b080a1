//! Linux: pidfds, and descriptors closed by range or by /proc.

mod descriptors;
mod handle;
mod reaped;

use std::os::fd::BorrowedFd;

pub(super) use descriptors::inherit_nothing;
pub(crate) use handle::Handle;
pub(super) use handle::{Early, EarlyPair};

use super::sigpipe::SigpipeHeldBack;

pub(crate) const UNLIMITED: u64 = libc::RLIM_INFINITY;

/// The limit as setrlimit(2) takes it.
pub(super) fn limit(value: u64) -> libc::rlim_t {
    value
}

/// Lets a write to `_pipe` fail when no process reads it any more, instead of ending the program.
pub(super) fn without_sigpipe(_pipe: BorrowedFd<'_>) -> SigpipeHeldBack {
    SigpipeHeldBack::new()
}

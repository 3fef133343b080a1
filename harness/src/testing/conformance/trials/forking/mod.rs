//! Forked or executed children of a holder.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::{executed, locking, release, survivor};
#[cfg(windows)]
pub(super) use windows::{executed, locking, release, survivor};

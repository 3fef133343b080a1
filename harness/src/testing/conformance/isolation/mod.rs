//! Runs a trial in a process of its own, in which nothing else runs, where that is needed.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(super) use unix::run_isolated;
#[cfg(windows)]
pub(super) use windows::run_isolated;

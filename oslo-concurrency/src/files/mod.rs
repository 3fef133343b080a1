//! Locks between processes: one lock file, one open file description, one queue of threads in each process.

mod lock_file;
mod process_lock;
#[cfg(test)]
mod process_lock_tests;
pub(crate) mod shared_holds;

pub(crate) use crate::sys::{Cancel, Mode, TimerUnavailable};
pub(crate) use lock_file::{FileIdentity, LockFile, same_file};
pub(crate) use process_lock::{Failure, HeldHere, ProcessLock, TURNSTILE_SUFFIX, turnstile_path};

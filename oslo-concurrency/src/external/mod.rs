//! Locks between processes: one lock file, one open file description, one queue of threads in each process.

mod cancel;
pub(crate) mod filesystem;
pub(crate) mod holders;
mod kernel;
mod lock_file;
mod process_lock;
#[cfg(test)]
mod process_lock_tests;
mod signals;
mod timer;

pub(crate) use cancel::Cancel;
pub(crate) use kernel::Mode;
pub(crate) use lock_file::{FileIdentity, LockFile, same_file};
pub(crate) use process_lock::{Failure, HeldHere, ProcessLock, TURNSTILE_SUFFIX, turnstile_path};
pub(crate) use timer::TimerUnavailable;

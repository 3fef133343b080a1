//! Locks between processes: one lock file, one open file, one queue of threads in each process.

mod error;
mod lock_file;
#[cfg(all(test, target_os = "linux"))] // it needs a lease on a file
mod lock_file_tests;
mod process_lock;
pub(crate) mod reader_writer;
pub(crate) mod shared_holds;
mod turnstile;

pub(crate) use error::FileLockError;
pub(crate) use lock_file::LockFile;
pub(crate) use process_lock::{HeldHere, ProcessLock};
pub(crate) use turnstile::{TURNSTILE_SUFFIX, turnstile_path};

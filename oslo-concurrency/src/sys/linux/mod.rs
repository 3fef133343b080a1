//! Linux. The contracts of these items are in [`sys`](super).

mod cancel;
mod descriptors;
mod environment;
mod file_name;
mod filesystem;
mod fork;
mod fork_barrier;
mod holders;
mod kernel_lock;
mod lock_file;
#[cfg(any(test, fuzzing))]
pub mod properties;
mod signals;
mod thread;
mod thread_number;
mod timer;

pub(crate) use cancel::Cancel;
pub(crate) use environment::environment_variable;
pub(crate) use file_name::{LONGEST_FILE_NAME, start_of_file_name};
pub(crate) use filesystem::file_system_of;
pub(crate) use holders::holders_of;
#[cfg(test)]
pub(crate) use lock_file::for_tests;
pub(crate) use lock_file::{FileIdentity, LockFile, NativePath, advice_on_open, identity_at};
pub(crate) use thread::{current_thread, spawn, thread_info};

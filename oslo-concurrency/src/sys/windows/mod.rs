//! Windows. The contracts of these items are in [`sys`](super).

mod cancel;
mod environment;
mod event;
mod file_name;
mod filesystem;
mod holders;
mod identity;
mod kernel_lock;
mod lock_file;
#[cfg(test)]
mod msvcrt_tests;
mod overlapped;
mod system;
mod thread;

pub(crate) use cancel::Cancel;
pub(crate) use environment::environment_variable;
pub(crate) use file_name::{
    LONGEST_FILE_NAME, SEPARATORS, problem_with_file_name, start_of_file_name,
};
pub(crate) use filesystem::file_system_of;
pub(crate) use holders::{NO_HOLDER_FOUND, holders_of};
pub(crate) use identity::{FileIdentity, NativePath, identity_at};
pub(crate) use lock_file::{LockFile, advice_on_open};
pub(crate) use thread::{current_thread, spawn, thread_info};

//! macOS and FreeBSD. The contracts of these items are in [`sys`](super).

mod cancel;
mod filesystem;
#[cfg(target_os = "freebsd")]
mod freebsd;
mod holders;
mod lock_file;
#[cfg(target_os = "macos")]
mod macos;

pub(crate) use cancel::Cancel;
pub(crate) use filesystem::file_system_of;
pub(crate) use holders::{NO_HOLDER_FOUND, holders_of};
pub(crate) use lock_file::LockFile;

pub(crate) use super::unix::{
    FileIdentity, LONGEST_FILE_NAME, NativePath, SEPARATORS, advice_on_open, current_thread,
    environment_variable, identity_at, problem_with_file_name, spawn, start_of_file_name,
    thread_info,
};

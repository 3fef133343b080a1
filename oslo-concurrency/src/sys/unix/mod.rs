//! Parts that Linux, macOS and FreeBSD share. The contracts of these items are in [`sys`](super).

mod descriptors;
mod environment;
mod file_name;
mod fork;
mod fork_barrier;
mod open_file;
mod system;
mod thread;
mod thread_number;

pub(crate) use descriptors::ProcessFd;
pub(crate) use environment::environment_variable;
pub(crate) use file_name::{
    LONGEST_FILE_NAME, SEPARATORS, problem_with_file_name, start_of_file_name,
};
pub(crate) use open_file::{FileIdentity, NativePath, OpenFile, advice_on_open, identity_at};
pub(crate) use thread::{current_thread, spawn, thread_info};

//! Processes, their descriptors and their locks, as `/proc` shows them (proc(5)).
//!
//! No other module of the harness or the command reads `/proc`. Parsers take the text of a file and
//! read nothing themselves.

mod command_line;
mod descriptors;
mod environment;
mod file_id;
mod locks;
mod mappings;
mod process_table;
mod processes;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod properties;
mod sockets;
mod stat;
mod status;
mod system_call;
mod threads;

pub use command_line::{LONGEST, command, command_line, name, shorten};
pub use descriptors::{
    DescriptorInfo, descriptor_infos, descriptor_metadata, descriptor_number, descriptor_target,
    descriptors, drain, own_descriptors, working_directory,
};
pub use environment::{Environment, environment};
pub use file_id::FileId;
pub use locks::{LockLine, read_locks};
pub use mappings::{present_pages, private_files, shared_memory};
pub use process_table::{ProcessRow, ProcessTable};
pub use processes::{all, children, children_of, with_files_in, with_lock_path_in};
pub use sockets::{listening, parse_listening, socket_inode};
pub use stat::{Stat, age, lives, state};
pub use status::Status;
pub use system_call::SystemCall;
pub use threads::{Thread, has_one_thread, is_single_threaded, threads};

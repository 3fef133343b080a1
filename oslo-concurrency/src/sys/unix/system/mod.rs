//! Threads of the process, as each system knows them; below all else of this folder.

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "freebsd")]
pub(super) use freebsd::{has_one_thread, new_thread_number, thread_info};
#[cfg(target_os = "linux")]
pub(super) use linux::{has_one_thread, new_thread_number, thread_info};
#[cfg(target_os = "macos")]
pub(super) use macos::{has_one_thread, new_thread_number, thread_info};

//! Looks at processes: their threads, their locks, their environment.
//!
//! Only Linux shows all of it. Elsewhere the answers are *nothing is known*, which no caller takes
//! for evidence: a wait is then judged without the delays of the machine, and a lock without the
//! kernel's own list.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;
mod types;

#[cfg(feature = "stress")]
use std::path::Path;
#[cfg(feature = "stress")]
use std::time::Duration;

#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(target_os = "linux")]
use linux as platform;
pub(crate) use types::{LockedFile, Starvation};

/// The time for which the machine keeps these processes from running.
pub(crate) fn starvation(processes: &[u32]) -> Starvation {
    platform::starvation(processes)
}

/// By thread, the time for which the machine kept a process and its children from running.
#[cfg(feature = "stress")]
pub(crate) fn run_delays(process: u32) -> Vec<(i32, Duration)> {
    platform::run_delays(process)
}

/// A few lines per thread of a process: where it is, according to the kernel.
pub(crate) fn stack_of(process: u32) -> String {
    platform::stack_of(process)
}

/// The files on which a process has exclusive locks.
pub(crate) fn locked_files(process: u32) -> Vec<LockedFile> {
    platform::locked_files(process)
}

/// `true` if the threads of a process can be counted.
#[cfg(unix)]
pub(crate) const COUNTS_THREADS: bool = cfg!(target_os = "linux");

/// Returns `true` if this process is known to have exactly one thread.
#[cfg(unix)]
pub(crate) fn is_single_threaded() -> bool {
    platform::is_single_threaded()
}

/// A number for the calling thread by which [`sleeps`] knows it; 0 if there is none.
pub(crate) fn this_thread() -> i32 {
    platform::this_thread()
}

/// Returns `true` if a thread of this process is known to sleep in the kernel.
pub(crate) fn sleeps(thread: i32) -> bool {
    platform::sleeps(thread)
}

/// The children of this process, including those that have ended and were not reaped.
#[cfg(feature = "stress")]
pub(crate) fn children() -> Vec<u32> {
    platform::children()
}

/// The living processes that were started with a lock path in `directory`.
#[cfg(feature = "stress")]
pub(crate) fn with_lock_path_in(directory: &Path) -> Vec<u32> {
    platform::with_lock_path_in(directory)
}

//! Systems that show nothing of this without rights of their own.

use super::types::{LockedFile, Starvation};

pub(super) fn starvation(_processes: &[u32]) -> Starvation {
    Starvation::default()
}

#[cfg(feature = "stress")]
pub(super) fn run_delays(_process: u32) -> Vec<(i32, std::time::Duration)> {
    Vec::new()
}

pub(super) fn stack_of(process: u32) -> String {
    format!(
        "\n    process {process}: its stack is not known on {}",
        std::env::consts::OS
    )
}

pub(super) fn locked_files(_process: u32) -> Vec<LockedFile> {
    Vec::new()
}

#[cfg(unix)]
pub(super) fn is_single_threaded() -> bool {
    false
}

pub(super) fn this_thread() -> i32 {
    0
}

pub(super) fn sleeps(_thread: i32) -> bool {
    false
}

#[cfg(feature = "stress")]
pub(super) fn children() -> Vec<u32> {
    Vec::new()
}

#[cfg(feature = "stress")]
pub(super) fn with_lock_path_in(_directory: &std::path::Path) -> Vec<u32> {
    Vec::new()
}

//! Threads on Linux.

use std::fs;

use crate::sys::numbers::{id_in, number_for};
use crate::sys::types::ThreadInfo;

/// Counts the threads without taking a lock. Returns `false` if they cannot be counted.
pub(crate) fn has_one_thread() -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
    // SAFETY: the path is a C string, and `stat` is valid for the call.
    let found = unsafe { libc::stat(c"/proc/self/task".as_ptr(), stat.as_mut_ptr()) } == 0;
    // SAFETY: all zeroes is a valid value, and the call has filled it in if it returned 0.
    let links = unsafe { stat.assume_init() }.st_nlink;
    // The directory has two links of its own and one for each thread (fs/proc/base.c,
    // proc_task_getattr).
    found && links == 3
}

/// A number for the calling thread. Ids have 22 bits (proc_sys_kernel(5)).
pub(crate) fn new_thread_number() -> u64 {
    // SAFETY: gettid(2) takes no arguments and cannot fail.
    number_for(unsafe { libc::gettid() }.unsigned_abs())
}

pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    let id = id_in(number);
    let name = fs::read_to_string(format!("/proc/self/task/{id}/comm"));
    ThreadInfo {
        id: id.into(),
        name: name.ok().map(|name| name.trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_shown_by_its_id_and_name() {
        // SAFETY: gettid(2) takes no arguments and cannot fail.
        let id = unsafe { libc::gettid() }.unsigned_abs();
        let info = thread_info(new_thread_number());
        assert_eq!(info.id, u64::from(id));
        assert!(info.name.is_some());
    }
}

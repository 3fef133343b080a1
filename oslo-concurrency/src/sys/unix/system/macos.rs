//! Threads on macOS.

use std::ffi::CStr;
use std::mem::{MaybeUninit, size_of};

use crate::sys::types::ThreadInfo;

/// `PROC_PIDTHREADID64INFO` of sys/proc_info.h: a thread of the process by its id.
const PROC_PIDTHREADID64INFO: libc::c_int = 15;

/// Always `false`: no call counts the threads without taking a lock. So no forked child logs.
pub(crate) fn has_one_thread() -> bool {
    false
}

/// The system's id of the calling thread, which it never uses again until it restarts.
pub(crate) fn new_thread_number() -> u64 {
    let mut id = 0;
    // SAFETY: thread 0 is the calling one, and the id is valid for the call.
    unsafe { libc::pthread_threadid_np(0, &mut id) };
    id
}

pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    ThreadInfo {
        id: number,
        name: name_of(number),
    }
}

fn name_of(id: u64) -> Option<String> {
    let mut info = MaybeUninit::<libc::proc_threadinfo>::zeroed();
    let size = libc::c_int::try_from(size_of::<libc::proc_threadinfo>()).ok()?;
    let pid = libc::pid_t::try_from(std::process::id()).ok()?;
    // SAFETY: the buffer has the size that the call is given.
    let written = unsafe {
        libc::proc_pidinfo(
            pid,
            PROC_PIDTHREADID64INFO,
            id,
            info.as_mut_ptr().cast(),
            size,
        )
    };
    if written != size {
        return None; // the thread has ended
    }
    // SAFETY: all zeroes is a valid value, and the call has filled it in.
    let name = unsafe { info.assume_init() }.pth_name;
    // SAFETY: a name has at most 63 bytes and a NUL.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    Some(name.to_string_lossy().into_owned())
}

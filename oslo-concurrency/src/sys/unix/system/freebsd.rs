//! Threads on FreeBSD.

use crate::sys::numbers::{id_in, number_for};
use crate::sys::types::ThreadInfo;

/// Always `false`: no call counts the threads without taking a lock. So no forked child logs.
pub(crate) fn has_one_thread() -> bool {
    false
}

/// A number for the calling thread.
pub(crate) fn new_thread_number() -> u64 {
    // SAFETY: pthread_getthreadid_np(3) takes no arguments and cannot fail.
    number_for(unsafe { libc::pthread_getthreadid_np() }.unsigned_abs())
}

/// The id alone: pthread_getname_np(3) needs a thread that is known to live.
pub(crate) fn thread_info(number: u64) -> ThreadInfo {
    ThreadInfo {
        id: id_in(number).into(),
        name: Some("name not known".into()),
    }
}

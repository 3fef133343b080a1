//! Numbers of the owners of a lock, which are never used twice: a thread has one, and so has each
//! asynchronous acquire.

#[cfg(feature = "tokio")]
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sys;

/// Set in the number of a task. Numbers of threads are lower.
const TASK: u64 = 1 << 63;

/// The calling thread's number; never 0.
#[inline]
pub(crate) fn current() -> u64 {
    sys::current_thread()
}

/// A number for an asynchronous acquire, which is not bound to a thread.
#[cfg(feature = "tokio")]
pub(crate) fn new_task() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    TASK | NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The owner of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    None,
    /// The thread with this number.
    Thread(u64),
    Task,
}

impl Owner {
    /// The owner with this number, which is 0 for none.
    pub(crate) fn of(number: u64) -> Self {
        match number {
            0 => Owner::None,
            task if task & TASK != 0 => Owner::Task,
            thread => Owner::Thread(thread),
        }
    }
}

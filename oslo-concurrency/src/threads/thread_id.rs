//! A number for each holder of a lock that is never used twice: a thread has one, and so has each asynchronous acquire.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// The lower bits of a thread's number are its kernel's number (at most 2^22, proc_sys_kernel(5)), for those who ask which thread it is.
const TID_BITS: u32 = 22;
/// Set in the number of what is not a thread.
const TASK: u64 = 1 << 63;

thread_local!(static ID: Cell<u64> = const { Cell::new(0) });

/// The calling thread's number; never 0.
pub(crate) fn current() -> u64 {
    ID.with(|id| {
        if id.get() == 0 {
            id.set(new_thread());
        }
        id.get()
    })
}

#[cold]
fn new_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // SAFETY: gettid(2) cannot fail.
    let tid = unsafe { libc::gettid() };
    (NEXT.fetch_add(1, Ordering::Relaxed) << TID_BITS) & !TASK | u64::from(tid.unsigned_abs())
}

/// The thread of a forked child is another one than its parent's. Async-signal-safe, as what runs in a forked child must be.
pub(crate) fn forget_after_fork() {
    ID.with(|id| id.set(0));
}

/// A number for an asynchronous acquire, which stays with no thread.
#[cfg(feature = "tokio")]
pub(crate) fn new_task() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    TASK | NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Who has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Nobody,
    /// The thread with this number in the kernel.
    Thread(i32),
    Task,
}

/// Who has the number `id`.
pub(crate) fn who(id: u64) -> Who {
    match id {
        0 => Who::Nobody,
        id if id & TASK != 0 => Who::Task,
        id => Who::Thread((id & ((1 << TID_BITS) - 1)) as i32),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_tells_whose_it_is() {
        // SAFETY: gettid(2) cannot fail.
        assert_eq!(who(current()), Who::Thread(unsafe { libc::gettid() }));
        assert_eq!(who(0), Who::Nobody);
        let other = std::thread::spawn(current).join().unwrap();
        assert_ne!(other, current());
        forget_after_fork();
        assert_ne!(current(), 0);
    }
}

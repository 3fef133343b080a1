//! The number of each thread, in a place that a forked child can reset.

use std::cell::Cell;

thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });

/// The calling thread's number, 0 if it has none yet.
#[inline]
pub(super) fn get() -> u64 {
    NUMBER.get()
}

pub(super) fn set(number: u64) {
    NUMBER.set(number);
}

/// Takes the number away from the thread of a forked child, which is another one than its parent's.
/// Async-signal-safe.
pub(super) fn forget() {
    NUMBER.set(0);
}

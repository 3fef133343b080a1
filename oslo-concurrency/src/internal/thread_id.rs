//! A number for each thread that is never used twice.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

/// The calling thread's number; never 0.
pub(crate) fn current() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static ID: Cell<u64> = const { Cell::new(0) });
    ID.with(|id| {
        if id.get() == 0 {
            id.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        id.get()
    })
}

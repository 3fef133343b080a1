//! Locks, atomics and the clock, for the modules that the model tests compile with a scheduler's versions of them
//! (`tests/model`).

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
pub(crate) use std::thread::sleep;
pub(crate) use std::time::Instant;

/// How long the thread of the watchdog stays without anything to watch.
pub(crate) const THREAD_STAYS: std::time::Duration = std::time::Duration::from_secs(10);

/// Attempts before queueing; about as long as a short section takes.
pub(crate) const SPINS: u32 = 40;

/// Waits a few nanoseconds for another processor.
#[inline]
pub(crate) fn spin_loop() {
    std::hint::spin_loop();
}

/// The value behind `mutex`. Nothing of ours panics while it holds one, so poison says nothing.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

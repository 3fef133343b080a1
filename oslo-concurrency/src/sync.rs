//! Mutexes, atomics and the clock. The model tests (`tests/model`) compile the modules that use
//! them with those of a scheduler.

pub(crate) use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
pub(crate) use std::thread::sleep;
pub(crate) use std::time::Instant;

/// Time for which the thread of the alarms stays without an alarm.
pub(crate) const THREAD_STAYS: std::time::Duration = std::time::Duration::from_secs(10);

/// Attempts before queueing; about as long as a short critical section takes.
pub(crate) const SPINS: u32 = 40;

/// Waits a few nanoseconds for another processor.
#[inline]
pub(crate) fn spin_loop() {
    std::hint::spin_loop();
}

/// Locks `mutex`. No code of this crate panics while it holds one, so poison means nothing.
pub(crate) fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

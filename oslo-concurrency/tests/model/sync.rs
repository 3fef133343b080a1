//! The items of `src/sync.rs`, from shuttle instead of std.
//!
//! Time is a number that advances by [`TICK`] whenever a timed wait is scheduled. A thread that
//! waits until `now + 2 * TICK` therefore gives up after at most two such steps, and the scheduler
//! decides what has happened by then: a deadline may pass at any moment.

use std::cell::Cell;
use std::ops::{Add, Deref, DerefMut, Sub};
use std::time::Duration;

pub use shuttle::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
pub use shuttle::sync::{Arc, Weak};
pub use std::sync::PoisonError;

/// Few, so that the scheduler spends its choices where they matter.
pub const SPINS: u32 = 1;
pub const THREAD_STAYS: Duration = Duration::from_millis(4);
pub const TICK: Duration = Duration::from_millis(1);

thread_local!(static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) });

/// Resets the clock at the beginning of each run.
pub fn reset_clock() {
    NOW.set(Duration::ZERO);
}

/// Lets other threads run, and time pass.
pub fn tick() {
    NOW.set(NOW.get() + TICK);
    others_may_run();
}

pub fn spin_loop() {
    others_may_run();
}

/// An ordinary step. `yield_now` would always run another thread, so no schedule would let this one
/// wait while the others stand still. All callers end after a few steps.
fn others_may_run() {
    AtomicBool::new(false).load(Ordering::SeqCst);
}

pub fn sleep(_: Duration) {
    tick();
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    pub fn now() -> Self {
        Instant(NOW.get())
    }

    pub fn elapsed(&self) -> Duration {
        NOW.get().saturating_sub(self.0)
    }

    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Instant)
    }

    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;
    fn add(self, duration: Duration) -> Instant {
        Instant(self.0 + duration)
    }
}

impl Sub for Instant {
    type Output = Duration;
    fn sub(self, earlier: Instant) -> Duration {
        self.0 - earlier.0
    }
}

/// Shuttle's mutex, referenced by its guard because a timed wait needs it again.
#[derive(Debug, Default)]
pub struct Mutex<T: ?Sized>(shuttle::sync::Mutex<T>);

#[derive(Debug)]
pub struct MutexGuard<'a, T: ?Sized> {
    mutex: &'a Mutex<T>,
    guard: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub const fn new(value: T) -> Self {
        Mutex(shuttle::sync::Mutex::new(value))
    }
}

impl<T: ?Sized> Mutex<T> {
    pub fn lock(&self) -> Result<MutexGuard<'_, T>, PoisonError<MutexGuard<'_, T>>> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(MutexGuard {
            mutex: self,
            guard: Some(guard),
        })
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.guard.as_ref().expect("held until it is dropped")
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("held until it is dropped")
    }
}

pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
pub struct Condvar(shuttle::sync::Condvar);

type Waited<G, T> = Result<T, PoisonError<(G, ())>>;

impl Condvar {
    pub const fn new() -> Self {
        Condvar(shuttle::sync::Condvar::new())
    }

    pub fn wait<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
    ) -> Result<MutexGuard<'a, T>, PoisonError<MutexGuard<'a, T>>> {
        let held = guard.guard.take().expect("held until it is dropped");
        let held = self.0.wait(held).unwrap_or_else(PoisonError::into_inner);
        guard.guard = Some(held);
        Ok(guard)
    }

    /// Returns when it is scheduled, a tick later.
    pub fn wait_timeout<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        _: Duration,
    ) -> Waited<MutexGuard<'a, T>, (MutexGuard<'a, T>, ())> {
        let mutex = guard.mutex;
        drop(guard);
        tick();
        Ok((lock(mutex), ()))
    }

    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

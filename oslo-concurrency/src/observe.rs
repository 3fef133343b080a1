//! Reports of the locks that this process acquires and releases, for tests that watch a function's
//! lock without changing the function.
//!
//! ```
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use oslo_concurrency::{lockutils, observe};
//!
//! struct Count(AtomicU32);
//!
//! impl observe::Observer for Count {
//!     fn acquired(&self, name: &str) {
//!         assert_eq!(name, "cache");
//!         self.0.fetch_add(1, Ordering::Relaxed);
//!     }
//!     fn releasing(&self, _: &str) {}
//! }
//!
//! static COUNT: Count = Count(AtomicU32::new(0));
//! observe::set_observer(&COUNT)?;
//! lockutils::lock("cache").run(|| ())?;
//! assert_eq!(COUNT.0.load(Ordering::Relaxed), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::borrow::Cow;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Receives reports from the thread that holds the lock, while it holds it.
///
/// The locks of [`lockutils`](crate::lockutils) are reported by their name without prefix, an
/// [`InterProcessLock`](crate::lockutils::InterProcessLock) by its path. Reader-writer locks are
/// not reported.
pub trait Observer: Sync {
    /// The lock was just acquired.
    fn acquired(&self, name: &str);
    /// The lock is about to be released.
    fn releasing(&self, name: &str);
}

/// The error of [`set_observer`] in a process that has an observer, which stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process has an observer of its locks already, and it cannot be replaced")]
pub struct AlreadyObserved;

static OBSERVER: OnceLock<&'static dyn Observer> = OnceLock::new();
/// Set if there is an observer. Without one, reading this is all that a lock pays.
static IS_OBSERVED: AtomicBool = AtomicBool::new(false);

/// Reports every lock of this process, and of the processes that it forks, to `observer` from now
/// on.
///
/// # Errors
/// Returns [`AlreadyObserved`] if there is an observer.
pub fn set_observer(observer: &'static dyn Observer) -> Result<(), AlreadyObserved> {
    OBSERVER.set(observer).map_err(|_| AlreadyObserved)?;
    IS_OBSERVED.store(true, Ordering::Release);
    Ok(())
}

#[inline]
pub(crate) fn acquired<'a>(name: impl FnOnce() -> Cow<'a, str>) {
    if IS_OBSERVED.load(Ordering::Relaxed) {
        report(&name(), |observer, name| observer.acquired(name));
    }
}

#[inline]
pub(crate) fn releasing<'a>(name: impl FnOnce() -> Cow<'a, str>) {
    if IS_OBSERVED.load(Ordering::Relaxed) {
        report(&name(), |observer, name| observer.releasing(name));
    }
}

#[cold]
fn report(name: &str, what: impl FnOnce(&dyn Observer, &str)) {
    if let Some(observer) = OBSERVER.get() {
        what(*observer, name);
    }
}

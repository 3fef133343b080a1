//! Tells somebody which locks are acquired and released in this process: for tests, which watch a function's lock without changing it.
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

/// Is told by the thread that holds the lock, while it holds it.
///
/// The locks of [`lockutils`](crate::lockutils) are reported by their name without prefix, an
/// [`InterProcessLock`](crate::lockutils::InterProcessLock) by its path. Reader-writer locks are not reported.
pub trait Observer: Sync {
    /// The lock was just acquired.
    fn acquired(&self, name: &str);
    /// The lock is about to be released.
    fn releasing(&self, name: &str);
}

/// There is an observer in this process already, and it stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this process has an observer of its locks already, and it cannot be replaced")]
pub struct AlreadyObserved;

static OBSERVER: OnceLock<&'static dyn Observer> = OnceLock::new();
/// Whether anybody looks: all that a lock pays when nobody does.
static IS_OBSERVED: AtomicBool = AtomicBool::new(false);

/// From now on `observer` is told of every lock of this process, and of the processes that it forks.
///
/// # Errors
/// If there is an observer already.
pub fn set_observer(observer: &'static dyn Observer) -> Result<(), AlreadyObserved> {
    OBSERVER.set(observer).map_err(|_| AlreadyObserved)?;
    IS_OBSERVED.store(true, Ordering::Release);
    Ok(())
}

#[inline]
pub(crate) fn acquired<'a>(name: impl FnOnce() -> Cow<'a, str>) {
    if IS_OBSERVED.load(Ordering::Relaxed) {
        tell(&name(), |observer, name| observer.acquired(name));
    }
}

#[inline]
pub(crate) fn releasing<'a>(name: impl FnOnce() -> Cow<'a, str>) {
    if IS_OBSERVED.load(Ordering::Relaxed) {
        tell(&name(), |observer, name| observer.releasing(name));
    }
}

#[cold]
fn tell(name: &str, what: impl FnOnce(&dyn Observer, &str)) {
    if let Some(observer) = OBSERVER.get() {
        what(*observer, name);
    }
}

//! Ending the wait of another thread in the kernel, before its deadline or without one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::timer::{Alarm, Bell};

/// Asked for by one thread, heeded by another that waits in the kernel.
#[derive(Debug, Default)]
pub(crate) struct Cancel {
    cancelled: AtomicBool,
    /// The alarm that interrupts the waiting thread, while it waits.
    bell: Mutex<Option<Bell>>,
}

impl Cancel {
    /// The wait ends within a moment, or has ended. Blocks nobody.
    #[cfg(feature = "tokio")]
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(bell) = &*self.bell() {
            bell.sound_now();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// While the answer lives, cancelling sounds `alarm`.
    pub(super) fn interrupts<'a>(&'a self, alarm: &'a Alarm) -> Attached<'a> {
        *self.bell() = alarm.bell();
        Attached(self)
    }

    fn bell(&self) -> MutexGuard<'_, Option<Bell>> {
        self.bell.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps an alarm within a canceller's reach; dropped before the alarm is.
pub(super) struct Attached<'a>(&'a Cancel);

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        *self.0.bell() = None;
    }
}

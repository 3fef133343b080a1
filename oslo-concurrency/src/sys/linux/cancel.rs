//! Ends the wait of another thread in the kernel.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::timer::{Alarm, Trigger};

#[derive(Debug, Default)]
pub(crate) struct Cancel {
    cancelled: AtomicBool,
    /// Interrupts the waiting thread, while it waits.
    trigger: Mutex<Option<Trigger>>,
}

impl Cancel {
    #[cfg(feature = "tokio")]
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        if let Some(trigger) = &*self.trigger() {
            trigger.fire();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Makes cancelling fire `alarm`, until the returned value is dropped.
    pub(super) fn attach<'a>(&'a self, alarm: &'a Alarm) -> Attached<'a> {
        *self.trigger() = alarm.trigger();
        Attached(self)
    }

    fn trigger(&self) -> MutexGuard<'_, Option<Trigger>> {
        self.trigger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An alarm within reach of [`Cancel::cancel`]; dropped before the alarm is.
pub(super) struct Attached<'a>(&'a Cancel);

impl Drop for Attached<'_> {
    fn drop(&mut self) {
        *self.0.trigger() = None;
    }
}

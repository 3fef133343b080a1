use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use crate::named::acquire::release_both;
use crate::named::lock_table::{ExternalEntry, InternalEntry, ThreadHold};
use crate::{fork, observe};

/// A held lock. Dropping the guard releases the lock, even during a panic.
///
/// The guard borrows nothing and can be stored. It is not `Send`: the owning thread is recorded, so
/// that a second attempt on that thread fails instead of waiting for itself. In a forked child, the
/// parent's guards are void, and dropping them does nothing.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard {
    _hold: Hold,
    _file_held_here: Option<ThreadHold>,
    _on_this_thread: PhantomData<*const ()>,
}

/// Releases the locks when it is dropped, on any thread.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Option<Held>,
    generation: u64,
    log: Option<HeldSince>,
}

/// The locks of a guard.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) external: Option<HeldExternal>,
    pub(crate) internal: Arc<InternalEntry>,
}

#[derive(Debug)]
pub(crate) struct HeldExternal {
    pub(crate) entry: Arc<ExternalEntry>,
    pub(crate) fair: bool,
}

/// The function that holds the lock, and the time when it acquired it, for the log.
#[derive(Debug)]
pub(crate) struct HeldSince {
    pub(crate) function: &'static str,
    pub(crate) acquired: Instant,
}

impl Guard {
    pub(crate) fn new(held: Held, function: &'static str, asked: Option<Instant>) -> Self {
        Guard {
            _file_held_here: held.external.is_some().then(ThreadHold::begin),
            _hold: Hold::new(held, function, asked),
            _on_this_thread: PhantomData,
        }
    }

    /// Releases the lock now.
    pub fn release(self) {
        drop(self);
    }
}

impl Held {
    fn release(&self) {
        match &self.external {
            None => self.internal.release(),
            Some(HeldExternal { entry, fair }) => release_both(&self.internal, entry, *fair),
        }
    }
}

impl Hold {
    /// Reports to the observer and, if the time when the lock was `asked` for is given, to the log.
    /// If either panics, the lock is released.
    pub(crate) fn new(held: Held, function: &'static str, asked: Option<Instant>) -> Self {
        let mut hold = Hold {
            held: Some(held),
            generation: fork::generation(),
            log: None,
        };
        if let Some(held) = &hold.held {
            observe::acquired(|| held.internal.key().into());
            let external = held.external.is_some();
            hold.log =
                asked.map(|asked| log_acquired(held.internal.key(), function, asked, external));
        }
        hold
    }
}

#[cold]
pub(super) fn log_acquired(
    lock: &str,
    function: &'static str,
    asked: Instant,
    external: bool,
) -> HeldSince {
    let acquired = Instant::now();
    let waited_seconds = (acquired - asked).as_secs_f64();
    tracing::debug!(lock, function, waited_seconds, external, "lock acquired");
    HeldSince { function, acquired }
}

impl HeldSince {
    #[cold]
    pub(super) fn log_released(&self, lock: &str, external: bool) {
        if !fork::may_log() {
            return;
        }
        tracing::debug!(
            lock,
            function = self.function,
            held_seconds = self.acquired.elapsed().as_secs_f64(),
            external,
            "lock released"
        );
    }
}

/// Calls a function when it is dropped, even during a panic.
pub(super) struct OnDrop<F: Fn()>(pub(super) F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.generation != fork::generation() {
            // The lock and the memory belong to the parent.
            std::mem::forget(held);
            return;
        }
        let release = OnDrop(|| held.release());
        observe::releasing(|| held.internal.key().into());
        drop(release);
        if let Some(since) = &self.log {
            since.log_released(held.internal.key(), held.external.is_some());
        }
    }
}

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Instant;

use super::world::{ExternalEntry, InternalEntry};
use crate::{fork, observe};

/// A lock that is held. It is released when the guard is dropped, also by a panic.
///
/// The guard borrows nothing and can be stored; it stays on its thread, because asking again on that thread is how a lock that
/// would wait for itself is noticed. In a forked child the parent's guards are void: dropping them does nothing.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct Guard {
    _hold: Hold,
    _on_this_thread: PhantomData<*const ()>,
}

/// Releases what is held when it is dropped, on whatever thread.
#[derive(Debug)]
pub(crate) struct Hold {
    held: Option<Held>,
    generation: u64,
    log: Option<HeldSince>,
}

/// What a guard holds, in the order in which it is released.
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

/// For the log: the function, and when the lock was acquired.
#[derive(Debug)]
pub(crate) struct HeldSince {
    pub(crate) function: &'static str,
    pub(crate) acquired: Instant,
}

impl Guard {
    pub(crate) fn new(held: Held, log: Option<HeldSince>) -> Self {
        Guard {
            _hold: Hold::new(held, log),
            _on_this_thread: PhantomData,
        }
    }

    /// Releases the lock now.
    pub fn release(self) {
        drop(self);
    }
}

impl Hold {
    pub(crate) fn new(held: Held, log: Option<HeldSince>) -> Self {
        observe::acquired(|| held.internal.key().into());
        Hold {
            held: Some(held),
            generation: fork::generation(),
            log,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let Some(held) = self.held.take() else { return };
        if self.generation != fork::generation() {
            // The parent's lock and the parent's memory: not ours to release or to free.
            std::mem::forget(held);
            return;
        }
        observe::releasing(|| held.internal.key().into());
        held.internal.release();
        if let Some(HeldExternal { entry, fair }) = &held.external {
            entry.release(*fair);
        }
        if let Some(HeldSince { function, acquired }) = &self.log {
            tracing::debug!(
                lock = held.internal.key(),
                function,
                held_seconds = acquired.elapsed().as_secs_f64(),
                external = held.external.is_some(),
                "lock released"
            );
        }
    }
}

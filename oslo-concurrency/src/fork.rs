//! Generations: what belongs to this process, and what a forked child inherited from its parent.
//!
//! A forked child gets a copy of the parent's memory. A copied mutex may be held by a thread that
//! the child does not have. Each child is therefore a new *generation*, and a value that carries
//! the number of an older generation is dead memory: it is neither locked nor unlocked, closed nor
//! freed.
//!
//! [`sys`](crate::sys) begins the new generation in the child. On a system without fork(2) the
//! generation never changes.

use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};

use crate::once::Owned;

static GENERATION: AtomicU64 = AtomicU64::new(1);
/// Set in a process that was forked from a process of several threads, and in all its descendants.
static SILENT: AtomicBool = AtomicBool::new(false);

/// The number of this process in its line of forks, 1 in a process that was not forked.
///
/// Everything that must not outlive a fork carries it.
#[inline]
pub(crate) fn generation() -> u64 {
    GENERATION.load(Ordering::Relaxed)
}

/// Returns `false` in a child that was forked from a process of several threads.
///
/// Another thread may have been writing a log line at the moment of the fork. The locks that it
/// held, of the subscriber, of standard output or of `tracing` itself, stay locked in the child,
/// which would wait forever.
#[inline]
pub(crate) fn may_log() -> bool {
    !SILENT.load(Ordering::Relaxed)
}

/// Makes this process a generation of its own. Called in a forked child, before any other code of
/// this crate runs there; async-signal-safe.
#[cfg_attr(windows, expect(dead_code, reason = "Windows has no fork"))]
pub(crate) fn begin_generation(parent_had_threads: bool) {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    if parent_had_threads {
        SILENT.store(true, Ordering::Relaxed);
    }
}

/// A value that each process makes for itself.
///
/// After a fork the child makes a new one. The parent's value, whose locks may be held by threads
/// that the child does not have, is left untouched.
#[derive(Debug)]
pub(crate) struct PerProcess<T> {
    current: AtomicPtr<Tagged<T>>,
    /// A pointer alone would be `Send` and `Sync` whatever `T` is.
    _owned: PhantomData<Owned<T>>,
}

#[derive(Debug)]
struct Tagged<T> {
    generation: u64,
    value: T,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new() -> Self {
        PerProcess {
            current: AtomicPtr::new(ptr::null_mut()),
            _owned: PhantomData,
        }
    }

    /// The value of this process, or `None` if it has not been made.
    pub(crate) fn peek(&self) -> Option<&T> {
        // SAFETY: only `drop`, which has exclusive access, frees a published value; a value of an
        // older generation is leaked.
        let tagged = unsafe { self.current.load(Ordering::Acquire).as_ref() }?;
        (tagged.generation == generation()).then_some(&tagged.value)
    }

    /// The value of this process; `make` makes it if it is missing. If two threads race, one of
    /// their values is dropped.
    pub(crate) fn get_or_make(&self, make: impl FnOnce() -> T) -> &T {
        match self.peek() {
            Some(value) => value,
            None => self.publish(make()),
        }
    }

    #[cold]
    fn publish(&self, value: T) -> &T {
        let seen = self.current.load(Ordering::Acquire);
        if let Some(value) = self.peek() {
            return value;
        }
        let fresh = Box::into_raw(Box::new(Tagged {
            generation: generation(),
            value,
        }));
        match self
            .current
            .compare_exchange(seen, fresh, Ordering::AcqRel, Ordering::Acquire)
        {
            // SAFETY: just published, see `peek`.
            Ok(_) => unsafe { &(*fresh).value },
            Err(winner) => {
                // SAFETY: `fresh` was not published: no other thread has seen it.
                drop(unsafe { Box::from_raw(fresh) });
                // SAFETY: the winner was published by a thread of this process, see `peek`.
                unsafe { &(*winner).value }
            }
        }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let tagged = *self.current.get_mut();
        // SAFETY: access is exclusive, to a value that was published or is null.
        if unsafe { tagged.as_ref() }.is_some_and(|tagged| tagged.generation == generation()) {
            // SAFETY: as above; it came from `Box::into_raw`.
            drop(unsafe { Box::from_raw(tagged) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_per_process() {
        let value: PerProcess<u32> = PerProcess::new();
        assert_eq!(value.peek(), None);
        assert_eq!(*value.get_or_make(|| 7), 7);
        assert_eq!(*value.get_or_make(|| 8), 7);
        assert_eq!(value.peek(), Some(&7));
    }
}

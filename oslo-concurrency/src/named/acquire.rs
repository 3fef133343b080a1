//! The order in which a named lock acquires the lock between threads and the lock on the file.
//!
//! A thread that has the turn for the file never waits for the lock between threads: another thread
//! may hold that lock and request the file, as oslo's own composition does. It waits for the turn
//! first, so that the kernel's lock can be passed on with the turn. If the lock between threads is
//! held then, it gives the turn back and waits in oslo's order, the lock between threads before the
//! file. A fair lock always uses that order: all users of the name share the queue of the lock
//! between threads.

use crate::files::{FileLockError, HeldHere, ProcessLock};
use crate::threads::QueueLock;
use crate::wait::{AcquireFailure, Wait, WaitLimit};

/// Options for acquiring a lock on a file.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) wait: Wait,
    pub(crate) fair: bool,
    /// Returns `true` if the caller holds a file in another way: by another path, or as a
    /// reader-writer lock.
    pub(crate) held_here: HeldHere<'a>,
}

/// Acquires the lock between threads and the lock on the file for the calling thread: both or none.
pub(crate) fn acquire_both(
    internal: &QueueLock,
    external: &ProcessLock,
    request: Request<'_>,
    limit: &mut WaitLimit<'_>,
) -> Result<(), FileLockError> {
    let Request {
        wait,
        fair,
        held_here,
    } = request;
    if wait != Wait::Never && internal.is_held_by_current_thread() {
        return Err(AcquireFailure::HeldBySelf.into());
    }
    let has_internal = if fair {
        internal.make_fair();
        external.turn().make_fair();
        false
    } else {
        external.take_turn(wait, held_here, limit)?;
        let free = internal.acquire(Wait::Never).is_ok();
        if !free {
            external.give_back();
        }
        free
    };
    if !has_internal {
        // The holder of the lock between threads may be waiting for the file: check before queueing
        // behind it.
        match internal.acquire(Wait::Never) {
            Err(AcquireFailure::Busy) if wait != Wait::Never => {
                if external.would_wait_for_itself(held_here) {
                    return Err(AcquireFailure::HeldBySelf.into());
                }
                internal.acquire_with_limit(wait, limit)?;
            }
            outcome => outcome?,
        }
        if let Err(failure) = external.take_turn(wait, held_here, limit) {
            internal.release();
            return Err(failure.into());
        }
    }
    let outcome = external.lock(wait, fair, held_here, limit);
    if outcome.is_err() {
        internal.release();
        external.give_back();
    }
    outcome
}

/// Acquires the lock on the file for the calling thread.
pub(crate) fn acquire_file(
    external: &ProcessLock,
    request: Request<'_>,
    limit: &mut WaitLimit<'_>,
) -> Result<(), FileLockError> {
    external.take_turn(request.wait, request.held_here, limit)?;
    let outcome = external.lock(request.wait, request.fair, request.held_here, limit);
    if outcome.is_err() {
        external.give_back();
    }
    outcome
}

/// Releases both locks of [`acquire_both`].
///
/// The lock between threads goes first: the next owner of the turn then finds it free.
pub(crate) fn release_both(internal: &QueueLock, external: &ProcessLock, fair: bool) {
    internal.release();
    external.release(fair);
}

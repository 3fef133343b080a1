//! The order in which a named lock takes the lock between threads and the lock on the file.
//!
//! A thread that has a turn at the file never waits for the lock between threads: another one may hold that lock and
//! ask for the file, as oslo's own composition does. It waits for its turn first, so that the kernel's lock can be
//! passed on with the turn; if the lock between threads is held then, it gives the turn back and waits in oslo's
//! order, the lock between threads before the file. A fair lock always uses that order: the queue of the lock between
//! threads is the one that all users of the name share.

use crate::files::{Failure, HeldHere, ProcessLock};
use crate::threads::QueueLock;
use crate::wait::{Missed, Patience, Wait};

/// How a lock on a file is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) wait: Wait,
    pub(crate) fair: bool,
    /// Whether the caller holds a file in another way: by another path, or as a reader-writer lock.
    pub(crate) held_here: HeldHere<'a>,
}

/// Acquires the lock between threads and the lock on the file for the calling thread: both or none.
pub(crate) fn acquire_both(
    internal: &QueueLock,
    external: &ProcessLock,
    request: Request<'_>,
    patience: &mut Patience<'_>,
) -> Result<(), Failure> {
    let Request {
        wait,
        fair,
        held_here,
    } = request;
    if wait != Wait::Never && internal.is_held_by_current_thread() {
        return Err(Missed::HeldBySelf.into());
    }
    let has_internal = if fair {
        internal.make_fair();
        external.turn().make_fair();
        false
    } else {
        external.take_turn(wait, held_here, patience)?;
        let free = internal.acquire(Wait::Never).is_ok();
        if !free {
            external.give_back();
        }
        free
    };
    if !has_internal {
        // Whoever holds the lock between threads may be waiting for the file: look before joining them.
        match internal.acquire(Wait::Never) {
            Err(Missed::Busy) if wait != Wait::Never => {
                if external.would_wait_for_itself(held_here) {
                    return Err(Missed::HeldBySelf.into());
                }
                internal.acquire_patiently(wait, patience)?;
            }
            outcome => outcome?,
        }
        if let Err(missed) = external.take_turn(wait, held_here, patience) {
            internal.release();
            return Err(missed.into());
        }
    }
    let outcome = external.lock(wait, fair, held_here, patience);
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
    patience: &mut Patience<'_>,
) -> Result<(), Failure> {
    let Request {
        wait,
        fair,
        held_here,
    } = request;
    external.take_turn(wait, held_here, patience)?;
    let outcome = external.lock(wait, fair, held_here, patience);
    if outcome.is_err() {
        external.give_back();
    }
    outcome
}

/// Releases what [`acquire_both`] has acquired.
///
/// The lock between threads goes first: whoever is passed the turn then finds it free.
pub(crate) fn release_both(internal: &QueueLock, external: &ProcessLock, fair: bool) {
    internal.release();
    external.release(fair);
}

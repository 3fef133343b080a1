//! How long an acquire is ready to wait.

use std::time::{Duration, Instant};

/// How long an acquire waits for a lock that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: held is answered at once.
    Never,
    /// Until the deadline, measured on the monotonic clock.
    Until(Instant),
    /// As long as it takes.
    Forever,
}

impl Wait {
    /// Waits `timeout` from now on; one that is too long for the clock is forever.
    pub(crate) fn at_most(timeout: Duration) -> Self {
        Instant::now()
            .checked_add(timeout)
            .map_or(Wait::Forever, Wait::Until)
    }
}

/// Why a lock was not acquired, before anybody has put a name to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Somebody holds it, and the caller does not wait.
    Busy,
    /// Somebody held it until the deadline.
    TimedOut,
    /// The calling thread itself holds it, so that waiting would never end.
    HeldBySelf,
}

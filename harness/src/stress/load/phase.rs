//! Phases of the load.

/// Duration of free competition between two rounds, in nanoseconds.
pub(super) const BETWEEN: u64 = 800_000_000;

/// The current phase.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Slots compete at random until this time.
    Free { until: u64 },
    /// No slot sends requests; the last ones finish.
    Gathering,
    /// One slot acquires or holds the lock; the others time out.
    Holding { worker: usize, slot: usize },
    /// The slots try the free lock one after the other until this time.
    Solo { until: u64, next: usize },
}

impl Phase {
    pub(super) fn first() -> Self {
        Phase::Free { until: BETWEEN / 2 }
    }
}

//! The phases of the load.

/// Time between two rounds with one right answer, in nanoseconds.
pub(super) const BETWEEN: u64 = 800_000_000;

/// What the load is at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Phase {
    /// Everybody does as chance has it, until then.
    Free { until: u64 },
    /// Nobody asks any more.
    Gathering,
    /// One slot was told to acquire, or holds the lock.
    Holding { place: usize, slot: usize },
    /// One slot after the other tries the lock, until then.
    Alone { until: u64, next: usize },
}

impl Phase {
    pub(super) fn first() -> Self {
        Phase::Free { until: BETWEEN / 2 }
    }
}

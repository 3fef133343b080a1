//! The history of a run: what its workers did with a lock, and when.

mod merge;

pub use merge::merge;

use crate::testing::lock::WaitLimit;

/// An event of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Nanoseconds on the monotonic clock, which all processes of a machine share.
    pub time: u64,
    /// The worker; each has one operation at a time.
    pub worker: u32,
    /// What the worker did.
    pub kind: EventKind,
}

/// What a worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It called acquire.
    Requested {
        /// Exclusive or shared.
        mode: Mode,
        /// How long it is ready to wait.
        limit: WaitLimit,
    },
    /// The acquire returned with the lock.
    Acquired,
    /// The acquire returned at once, since the lock was held.
    Busy,
    /// The acquire timed out.
    TimedOut,
    /// The acquire failed with another error.
    Failed,
    /// It called release.
    Releasing,
    /// The release returned.
    Released,
    /// It died. Whatever it held is free as soon as the process has ended.
    Died,
}

/// The mode of an acquire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No other worker may hold the lock.
    Exclusive,
    /// Others may hold the lock shared.
    Shared,
}

impl EventKind {
    /// The order of events of the same nanosecond: the one that is most favourable to the lock.
    fn rank(self) -> u8 {
        match self {
            EventKind::Releasing | EventKind::Died => 0,
            EventKind::Requested { .. } => 1,
            EventKind::Acquired => 2,
            EventKind::Busy | EventKind::TimedOut | EventKind::Failed => 3,
            EventKind::Released => 4,
        }
    }
}

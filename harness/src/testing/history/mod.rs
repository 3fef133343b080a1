//! The history of a run: the operations of its workers on a lock, with their times.

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
    /// The operation of the worker.
    pub kind: EventKind,
}

/// Operations of workers and their answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The worker called acquire.
    Requested {
        /// Exclusive or shared.
        mode: Mode,
        /// Maximum time to wait.
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
    /// The worker called release.
    Releasing,
    /// The release returned.
    Released,
    /// The worker died. Everything it held is free once the process has ended.
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

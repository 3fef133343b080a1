//! What the users of a lock did, and when.

mod merge;

pub use merge::merge;

use crate::testing::lock::WaitLimit;

/// One thing that a worker did. Times are nanoseconds on the monotonic clock, which all processes of a machine share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: u64,
    /// Which worker; each has one operation at a time.
    pub worker: u32,
    /// What.
    pub kind: EventKind,
}

/// What a worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// It called acquire.
    Requested {
        /// For one or for many.
        mode: Mode,
        /// For how long it is ready to wait.
        limit: WaitLimit,
    },
    /// The acquire came back with the lock.
    Acquired,
    /// The acquire came back at once, since the lock was held.
    Busy,
    /// The acquire came back when its time was over.
    TimedOut,
    /// The acquire came back with another error.
    Failed,
    /// It called release.
    Releasing,
    /// The release came back.
    Released,
    /// It was dead from then on; whatever it held was free at the latest when it was gone.
    Died,
}

/// For one holder or for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Nobody else may hold it.
    Exclusive,
    /// Others may hold it shared.
    Shared,
}

impl EventKind {
    /// The order of events of the same nanosecond: the one in which nothing is held against the lock that it may not have done.
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

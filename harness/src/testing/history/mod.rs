//! What the users of a lock did, and when.

mod merge;

pub use merge::merge;

/// One thing that a worker did. Times are nanoseconds on the monotonic clock, which all processes of a machine share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub time: u64,
    /// Which worker; each has one operation at a time.
    pub worker: u32,
    /// What.
    pub kind: Kind,
}

/// What a worker did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It called acquire.
    Asked {
        /// For one or for many.
        mode: Mode,
        /// For how long it is ready to wait.
        patience: Patience,
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

/// For how long an acquire is ready to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As long as it takes.
    Forever,
    /// Not at all.
    None,
    /// So many nanoseconds.
    Nanoseconds(u64),
}

impl Kind {
    /// The order of events of the same nanosecond: the one in which nothing is held against the lock that it may not have done.
    fn rank(self) -> u8 {
        match self {
            Kind::Releasing | Kind::Died => 0,
            Kind::Asked { .. } => 1,
            Kind::Acquired => 2,
            Kind::Busy | Kind::TimedOut | Kind::Failed => 3,
            Kind::Released => 4,
        }
    }
}

//! Holds of the lock, and overlaps of two of them.

use std::time::Duration;

/// A slot of one worker process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SlotId {
    /// Number of the worker.
    pub worker: usize,
    /// Number of the slot in the worker.
    pub slot: usize,
    /// Number of the process, counted over all that had this worker's number.
    pub life: u32,
}

/// One hold of the lock. Times are nanoseconds since the scenario began.
#[derive(Clone, Debug)]
pub struct Hold {
    pub holder: SlotId,
    pub shared: bool,
    pub from: u64,
    pub until: Option<u64>,
    /// `true` if the holder or the machine was stopped since the request.
    pub paused: bool,
}

/// Two holders at once.
#[derive(Clone, Debug)]
pub struct Overlap {
    pub first: Hold,
    pub second: Hold,
    pub at: u64,
    /// `true` if the first holder may have outlived the lock's lease.
    pub lease: bool,
}

impl Overlap {
    /// The end of the overlap, if it is known.
    pub fn until(&self) -> Option<u64> {
        match (self.first.until, self.second.until) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        }
    }
}

/// A duration in nanoseconds.
pub fn nanoseconds(duration: Duration) -> u64 {
    duration.as_nanos() as u64
}

/// The rule by which a hold may have outlived the lock's lease.
#[derive(Clone, Copy, Debug)]
pub struct LeaseRule {
    /// The lease in nanoseconds, if it is known.
    pub lease: Option<u64>,
}

impl LeaseRule {
    /// Returns `true` if a hold of this age may have outlived the lease.
    ///
    /// Locks renew a lease after half of it at the latest, so an older one may be about to end.
    pub fn may_be_over(self, age: u64, paused: bool) -> bool {
        const LONG: u64 = 500_000_000;
        match self.lease {
            Some(lease) => age >= lease / 2,
            None => paused || age >= LONG,
        }
    }
}

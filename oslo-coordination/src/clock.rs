//! A clock that goes on while the machine is suspended.

use std::ops::{Add, Sub};
use std::time::Duration;

use crate::rt;

/// A point in time, in nanoseconds since the machine started.
///
/// A lease goes on at the server while this machine sleeps, so `std::time::Instant`, which stands
/// still meanwhile on Linux, would count it too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BootTime(u64);

impl BootTime {
    pub(crate) fn now() -> Self {
        BootTime(0) + rt::time_since_boot()
    }

    pub(crate) const fn from_nanos(nanos: u64) -> Self {
        BootTime(nanos)
    }

    pub(crate) const fn nanos(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`, or zero.
    pub(crate) fn since(self, earlier: BootTime) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for BootTime {
    type Output = BootTime;
    fn add(self, duration: Duration) -> BootTime {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        BootTime(self.0.saturating_add(nanos))
    }
}

impl Sub<Duration> for BootTime {
    type Output = BootTime;
    fn sub(self, duration: Duration) -> BootTime {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        BootTime(self.0.saturating_sub(nanos))
    }
}

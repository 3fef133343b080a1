//! The length of a lease, as the holder counts it.

use std::time::Duration;

use crate::clock::BootTime;

/// A lease. The server counts from when it handles the request, the holder from before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) duration: Duration,
}

impl Lease {
    /// A third of the lease passes before its renewal; a request that takes longer than this leaves
    /// no time for another.
    pub(super) fn request_limit(self) -> Duration {
        self.duration / 4
    }

    /// The moment from which a holder who asked at `asked` must not rely on the lease. The margin
    /// allows for clocks that differ by one in a hundred.
    pub(super) fn until(self, asked: BootTime) -> BootTime {
        asked + (self.duration - self.duration / 100).saturating_sub(Duration::from_millis(5))
    }
}

//! The length of a lease, as the holder counts it.

use std::time::Duration;

use crate::clock::BootTime;
use crate::url::ServiceUrl;

/// tooz's default for every time, except with ZooKeeper.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// A lease. The server counts from when it handles the request, the holder from before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    pub(super) duration: Duration,
}

impl Lease {
    /// The lease and the time limit of requests that a URL asks for with `lock_timeout` and
    /// `timeout`, which is also the default of the lease.
    ///
    /// # Errors
    /// Returns the problem, and what to write instead.
    #[allow(dead_code, reason = "ZooKeeper has a default of its own")]
    pub(super) fn of(url: &ServiceUrl, shortest: Duration) -> Result<(Self, Duration), String> {
        Self::with_default(url, shortest, DEFAULT_TIMEOUT)
    }

    /// The same with another default.
    pub(super) fn with_default(
        url: &ServiceUrl,
        shortest: Duration,
        default: Duration,
    ) -> Result<(Self, Duration), String> {
        let timeout = url.seconds("timeout")?.unwrap_or(default);
        let duration = url.seconds("lock_timeout")?.unwrap_or(timeout);
        if duration < shortest {
            let enough = shortest.as_secs_f64();
            return Err(format!(
                "a lease of {duration:?} is too short; write lock_timeout={enough} or more"
            ));
        }
        Ok((Lease { duration }, timeout))
    }

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

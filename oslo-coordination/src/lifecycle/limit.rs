//! Limits of one acquire: its deadline, its abandonment, and the warning about a long wait.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use super::race::{Either, race};
use super::reply::Sender;
use crate::clock::BootTime;
use crate::rt;

/// The time that an acquire may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Never,
    Until(BootTime),
    Forever,
}

/// A reason to stop waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    TimedOut,
    /// The caller dropped its future.
    Abandoned,
}

/// Warnings are never closer together than this.
const SHORTEST: Duration = Duration::from_millis(10);

/// The time after which a wait is logged; doubled each time.
#[derive(Debug)]
pub(crate) struct Warning<F> {
    pub(crate) began: BootTime,
    pub(crate) after: Duration,
    pub(crate) warn: F,
}

impl<F: FnMut(Duration)> Warning<F> {
    /// The time since the acquire began.
    pub(crate) fn waited(&self) -> Duration {
        BootTime::now().since(self.began)
    }

    /// Awaits `awaited` no longer than the caller wants.
    pub(crate) async fn limit<T, R>(
        &mut self,
        wait: Wait,
        caller: &Sender<R>,
        awaited: impl Future<Output = T>,
    ) -> Result<T, Stopped> {
        let mut awaited = pin!(awaited);
        let deadline = match wait {
            Wait::Until(deadline) => Some(deadline),
            Wait::Never | Wait::Forever => None,
        };
        loop {
            let now = BootTime::now();
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.since(now));
            let until_warning = self.after.saturating_sub(now.since(self.began));
            let interruption = race(caller.abandoned(), rt::sleep(left.min(until_warning)));
            match race(awaited.as_mut(), interruption).await {
                Either::First(output) => return Ok(output),
                Either::Second(Either::First(())) => return Err(Stopped::Abandoned),
                Either::Second(Either::Second(())) => {}
            }
            let now = BootTime::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                return Err(Stopped::TimedOut);
            }
            let waited = now.since(self.began);
            if waited >= self.after {
                (self.warn)(waited);
                self.after = self.after.max(SHORTEST).saturating_mul(2);
            }
        }
    }
}

//! Limits of the wait for a lock.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::alarms::Alarm;
use crate::contained::contained;
use crate::sync::Instant;
use crate::sys::Cancel;

/// The time that an acquire waits for a lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Does not wait: a held lock is an error at once.
    Never,
    /// Until the deadline, measured on the monotonic clock.
    Until(Instant),
    /// As long as it takes.
    Forever,
}

impl Wait {
    /// Waits for `timeout` from now on; forever, if that is too long for the clock.
    pub(crate) fn at_most(timeout: Duration) -> Self {
        Instant::now()
            .checked_add(timeout)
            .map_or(Wait::Forever, Wait::Until)
    }
}

/// The reason why a lock was not acquired, without the lock's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AcquireFailure {
    /// The lock is held, and the caller does not wait.
    Busy,
    /// The lock was held until the deadline.
    TimedOut,
    /// The calling thread holds the lock itself, so the wait would never end.
    HeldBySelf,
}

/// Interruptions of a wait before its deadline: a warning that it lasts long, and a cancellation.
///
/// Another thread sends the warning, because a subscriber may block, panic, or use this very lock.
/// A waiter that acquires the lock without going to sleep pays for none of this.
pub(crate) struct WaitLimit<'a> {
    began: Option<Instant>,
    /// Time after which to call `warn`; `Duration::MAX` for never.
    warn_after: Duration,
    /// Warns of a wait that has lasted this long, until the returned alarm is dropped.
    warn: &'a dyn Fn(Duration) -> Option<Alarm>,
    warning: Option<Alarm>,
    pub(crate) is_logged: fn() -> bool,
    cancel: Option<&'a Cancel>,
}

impl<'a> WaitLimit<'a> {
    /// Calls `warn` once, as soon as the wait has lasted `warn_after`.
    pub(crate) fn with_warning(
        warn_after: Duration,
        warn: &'a dyn Fn(Duration) -> Option<Alarm>,
    ) -> Self {
        WaitLimit {
            began: None,
            warn_after,
            warn,
            warning: None,
            is_logged: || LevelFilter::current() >= LevelFilter::WARN,
            cancel: None,
        }
    }

    /// Does not interrupt the wait.
    pub(crate) fn silent() -> Self {
        WaitLimit::with_warning(Duration::MAX, &|_| None)
    }

    /// Ends the wait when `cancel` is cancelled, and does not warn.
    #[cfg(feature = "tokio")]
    pub(crate) fn until_cancelled(cancel: &'a Cancel) -> Self {
        WaitLimit {
            cancel: Some(cancel),
            ..WaitLimit::silent()
        }
    }

    pub(crate) fn cancel(&self) -> Option<&'a Cancel> {
        self.cancel
    }

    /// The time until which to sleep before calling [`is_over`](Self::is_over).
    pub(crate) fn next_look(&mut self, wait: Wait) -> Wait {
        if self.warn_after == Duration::MAX {
            return wait;
        }
        if self.began.is_none() && !(self.is_logged)() {
            self.warn_after = Duration::MAX;
            return wait;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        match (began.checked_add(self.warn_after), wait) {
            (None, wait) | (_, wait @ Wait::Never) => wait,
            (Some(next), Wait::Forever) => Wait::Until(next),
            (Some(next), Wait::Until(deadline)) => Wait::Until(next.min(deadline)),
        }
    }

    /// Returns `true` if the wait is over. Otherwise warns, if it is time to. Called when a sleep
    /// has ended without the lock.
    pub(crate) fn is_over(&mut self, wait: Wait) -> bool {
        let over = match wait {
            Wait::Never => true,
            Wait::Until(deadline) => Instant::now() >= deadline,
            Wait::Forever => false,
        };
        if over || self.cancel.is_some_and(Cancel::is_cancelled) {
            return true;
        }
        if let Some(began) = self.began {
            let waited = began.elapsed();
            if waited >= self.warn_after {
                self.warn_after = Duration::MAX;
                // This asks the subscriber for the current span. A panic there must not take the
                // waiter out of the queue: the wait continues without a warning.
                self.warning = contained(|| (self.warn)(waited)).flatten();
            }
        }
        false
    }
}

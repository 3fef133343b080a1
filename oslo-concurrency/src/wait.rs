//! How long an acquire is ready to wait.

use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::alarms::Alarm;
use crate::contained::contained;
use crate::files::Cancel;
use crate::sync::Instant;

/// How long an acquire waits for a lock that is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: a held lock is an error at once.
    Never,
    /// Until the deadline, measured on the monotonic clock.
    Until(Instant),
    /// As long as it takes.
    Forever,
}

impl Wait {
    /// Waits `timeout` from now on; one that is too long for the clock is forever.
    pub(crate) fn at_most(timeout: Duration) -> Self {
        Instant::now()
            .checked_add(timeout)
            .map_or(Wait::Forever, Wait::Until)
    }
}

/// Why a lock was not acquired, before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// It is held, and the caller does not wait.
    Busy,
    /// It was held until the deadline.
    TimedOut,
    /// The calling thread itself holds it, so that waiting would never end.
    HeldBySelf,
}

/// What interrupts a wait, other than its end: a warning that it lasts long, and a cancellation.
///
/// The warning is handed to another thread, for a subscriber may block, panic, or use this very lock. Nothing of this
/// is looked at before the waiter goes to sleep.
pub(crate) struct Patience<'a> {
    began: Option<Instant>,
    /// When to hand the wait to whoever warns; `Duration::MAX` is never.
    warn_after: Duration,
    /// Warns from now on, until the answer is dropped, of a wait that has lasted so long.
    warn: &'a dyn Fn(Duration) -> Option<Alarm>,
    warning: Option<Alarm>,
    pub(crate) is_heard: fn() -> bool,
    cancel: Option<&'a Cancel>,
}

impl<'a> Patience<'a> {
    /// Calls `warn` once, as soon as the wait has lasted `warn_after`.
    pub(crate) fn new(warn_after: Duration, warn: &'a dyn Fn(Duration) -> Option<Alarm>) -> Self {
        Patience {
            began: None,
            warn_after,
            warn,
            warning: None,
            is_heard: || LevelFilter::current() >= LevelFilter::WARN,
            cancel: None,
        }
    }

    /// Waits in silence.
    pub(crate) fn silent() -> Self {
        Patience::new(Duration::MAX, &|_| None)
    }

    /// Waits in silence until `cancel` says that the lock is not wanted any more.
    #[cfg(feature = "tokio")]
    pub(crate) fn until_cancelled(cancel: &'a Cancel) -> Self {
        Patience {
            cancel: Some(cancel),
            ..Patience::silent()
        }
    }

    pub(crate) fn cancel(&self) -> Option<&'a Cancel> {
        self.cancel
    }

    /// How long to sleep at most before [`is_over`](Self::is_over) is asked.
    pub(crate) fn limit(&mut self, wait: Wait) -> Wait {
        if self.warn_after == Duration::MAX {
            return wait;
        }
        if self.began.is_none() && !(self.is_heard)() {
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

    /// The sleep ended without the lock. Returns `true` if that is the end of the wait; if not, this is the time to
    /// warn.
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
                // It asks the subscriber for the present span. A panic there must not take the waiter out of the
                // queue: the wait goes on in silence.
                self.warning = contained(|| (self.warn)(waited)).flatten();
            }
        }
        false
    }
}

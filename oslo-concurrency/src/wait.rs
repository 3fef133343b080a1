//! How long an acquire is ready to wait.

use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;

use crate::external::Cancel;

/// How long an acquire waits for a lock that somebody else holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Not at all: held is answered at once.
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

/// Why a lock was not acquired, before anybody has put a name to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// Somebody holds it, and the caller does not wait.
    Busy,
    /// Somebody held it until the deadline.
    TimedOut,
    /// The calling thread itself holds it, so that waiting would never end.
    HeldBySelf,
}

/// What interrupts a wait, other than its end: time to say that it lasts long, and somebody who cancels it.
///
/// Nothing of this is looked at before the waiter goes to sleep, and what nobody listens to is not prepared.
pub(crate) struct Patience<'a> {
    began: Option<Instant>,
    /// How long after the beginning there is something to say next.
    next: Duration,
    say: &'a dyn Fn(Duration),
    is_heard: fn() -> bool,
    cancel: Option<&'a Cancel>,
}

impl<'a> Patience<'a> {
    /// Calls `say` with the time waited so far after `first`, and each time after twice as long as before. `Duration::MAX` is never.
    pub(crate) fn new(first: Duration, say: &'a dyn Fn(Duration)) -> Self {
        Patience {
            began: None,
            next: first,
            say,
            is_heard: || LevelFilter::current() >= LevelFilter::WARN,
            cancel: None,
        }
    }

    /// Waits in silence.
    pub(crate) fn endless() -> Self {
        Patience::new(Duration::MAX, &|_| ())
    }

    /// Waits in silence until `cancel` says that nobody wants the lock any more.
    #[cfg(feature = "tokio")]
    pub(crate) fn until_cancelled(cancel: &'a Cancel) -> Self {
        Patience {
            cancel: Some(cancel),
            ..Patience::endless()
        }
    }

    pub(crate) fn cancel(&self) -> Option<&'a Cancel> {
        self.cancel
    }

    /// How long to sleep at most before [`is_over`](Self::is_over) is asked.
    pub(crate) fn limit(&mut self, wait: Wait) -> Wait {
        if self.next == Duration::MAX {
            return wait;
        }
        if self.began.is_none() && !(self.is_heard)() {
            self.next = Duration::MAX;
            return wait;
        }
        let began = *self.began.get_or_insert_with(Instant::now);
        match (began.checked_add(self.next), wait) {
            (None, wait) | (_, wait @ Wait::Never) => wait,
            (Some(next), Wait::Forever) => Wait::Until(next),
            (Some(next), Wait::Until(deadline)) => Wait::Until(next.min(deadline)),
        }
    }

    /// The sleep ended without the lock: whether that is the end of the wait. If not, this is the time to say that it lasts long.
    pub(crate) fn is_over(&mut self, wait: Wait) -> bool {
        let over = match wait {
            Wait::Never => true,
            Wait::Until(deadline) => Instant::now() >= deadline,
            Wait::Forever => false,
        };
        if over || self.cancel.is_some_and(Cancel::is_cancelled) {
            return true;
        }
        let waited = self.began.map_or(Duration::ZERO, |began| began.elapsed());
        if waited >= self.next {
            (self.say)(waited);
            self.next = self.next.saturating_mul(2);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn a_long_wait_is_told_at_growing_intervals() {
        let said = RefCell::new(Vec::new());
        let say = |waited| said.borrow_mut().push(waited);
        let mut patience = Patience::new(Duration::from_millis(2), &say);
        patience.is_heard = || true;
        while said.borrow().len() < 3 {
            match patience.limit(Wait::Forever) {
                Wait::Until(next) => {
                    while Instant::now() < next {
                        std::hint::spin_loop();
                    }
                }
                other => panic!("{other:?}"),
            }
            assert!(!patience.is_over(Wait::Forever));
        }
        for (waited, least) in said.borrow().iter().zip([2, 4, 8]) {
            assert!(*waited >= Duration::from_millis(least), "{waited:?}");
        }
    }

    #[test]
    fn the_deadline_goes_before_what_there_is_to_say() {
        let said = RefCell::new(0);
        let say = |_| *said.borrow_mut() += 1;
        let deadline = Wait::at_most(Duration::ZERO);
        let mut patience = Patience::new(Duration::from_secs(60), &say);
        patience.is_heard = || true;
        assert_eq!(patience.limit(deadline), deadline);
        assert!(patience.is_over(deadline));
        assert_eq!(Patience::endless().limit(Wait::Forever), Wait::Forever);
        assert_eq!(*said.borrow(), 0);

        let mut unheard = Patience::new(Duration::ZERO, &say);
        unheard.is_heard = || false;
        assert_eq!(unheard.limit(Wait::Forever), Wait::Forever);
    }
}

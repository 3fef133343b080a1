//! Helpers shared by the trials.

use std::time::{Duration, Instant};

use crate::sys::{Means, lacks};
use crate::testing::finding::{Finding, Unknown};

/// Time that a holder stays after a disturbance, so that a worker that entered is observed.
pub(super) const LINGER: Duration = Duration::from_micros(300);

/// Creates the lock of one worker.
pub(super) type Make<'a, L> = &'a (dyn Fn() -> L + Sync);

pub(super) fn linger_for(time: Duration) {
    let until = Instant::now() + time;
    while Instant::now() < until {
        std::thread::yield_now();
    }
}

pub(super) fn linger() {
    linger_for(LINGER);
}

/// *Not known*, since this system lacks a means that the trial needs.
pub(super) fn not_available(means: Means) -> Finding {
    let why = lacks(means).map_or_else(String::new, |missing| missing.to_string());
    Finding::NotKnown(Unknown::Unsupported(why))
}

//! Helpers shared by the trials.

use std::time::{Duration, Instant};

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

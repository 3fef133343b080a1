//! What several trials need.

use std::time::{Duration, Instant};

/// For how long a holder stays after a disturbance, so that those whom it let in are seen.
pub(super) const LINGER: Duration = Duration::from_micros(300);

/// Makes a lock for one worker.
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

//! Waits by asking again, for systems that cannot limit a wait in the kernel.

use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The first pause between two attempts.
const FIRST_PAUSE: Duration = Duration::from_micros(200);
/// The longest pause, and so the longest time for which a free lock is not noticed.
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// Calls `try_lock` until it returns `true`, `until` has passed, or `is_cancelled` returns `true`.
/// Returns `true` if the lock was acquired.
pub(super) fn ask_again(
    mut try_lock: impl FnMut() -> io::Result<bool>,
    until: Option<Instant>,
    is_cancelled: impl Fn() -> bool,
) -> io::Result<bool> {
    let mut pause = FIRST_PAUSE;
    loop {
        let now = Instant::now();
        if until.is_some_and(|until| now >= until) || is_cancelled() {
            return Ok(false);
        }
        if try_lock()? {
            return Ok(true);
        }
        let left = until.map_or(pause, |until| until.saturating_duration_since(now));
        sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_lock_at_the_deadline_or_when_cancelled() {
        let mut tries = 0;
        let third = || {
            tries += 1;
            Ok(tries == 3)
        };
        assert!(ask_again(third, None, || false).unwrap());
        let deadline = Instant::now() + Duration::from_millis(20);
        assert!(!ask_again(|| Ok(false), Some(deadline), || false).unwrap());
        assert!(Instant::now() >= deadline);
        assert!(!ask_again(|| Ok(true), None, || true).unwrap());
        let refused = || Err(io::Error::other("no locks here"));
        assert!(ask_again(refused, None, || false).is_err());
    }
}

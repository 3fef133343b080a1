//! Waits for an event, with a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// The limit of every wait in tests, longer than any event takes on a loaded machine: 60 s, or
/// LOCKUTILS_TEST_DEADLINE seconds.
pub fn deadline() -> Duration {
    let seconds = std::env::var("LOCKUTILS_TEST_DEADLINE").ok();
    Duration::from_secs(
        seconds
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(60),
    )
}

/// Polls until `event` returns a value.
///
/// # Panics
/// Panics with `what` if there is none before the [`deadline`].
pub fn until<T>(what: &str, mut event: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + self::deadline();
    loop {
        if let Some(value) = event() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

/// Returns once a thread of this process sleeps until another wakes it (in futex(2)).
///
/// # Panics
/// Panics if it does not before the [`deadline`].
pub fn until_thread_sleeps(thread: Pid) {
    let call = format!("/proc/self/task/{thread}/syscall");
    let futex = format!("{} ", nix::libc::SYS_futex);
    until("the thread sleeps", || {
        let call = std::fs::read_to_string(&call).ok()?;
        call.starts_with(&futex).then_some(())
    });
}

/// Raises a flag that stops working threads, even if the test fails: a scope would wait for them
/// forever.
#[derive(Debug)]
pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

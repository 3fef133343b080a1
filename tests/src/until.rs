//! Waiting for an event, with a deadline.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

/// No event that a test waits for takes this long, however loaded the machine is: 60 s, or LOCKUTILS_TEST_DEADLINE seconds.
pub fn deadline() -> Duration {
    let seconds = std::env::var("LOCKUTILS_TEST_DEADLINE").ok();
    Duration::from_secs(
        seconds
            .and_then(|seconds| seconds.parse().ok())
            .unwrap_or(60),
    )
}

/// Looks until `event` is there.
///
/// # Panics
/// With `what` if it is not there after the [`deadline`].
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
/// If it does not before the [`deadline`].
pub fn until_thread_sleeps(thread: Pid) {
    let call = format!("/proc/self/task/{thread}/syscall");
    let futex = format!("{} ", nix::libc::SYS_futex);
    until("the thread sleeps", || {
        let call = std::fs::read_to_string(&call).ok()?;
        call.starts_with(&futex).then_some(())
    });
}

/// Tells threads that work until a flag is raised to stop, also when the test fails: a scope would wait for them forever.
#[derive(Debug)]
pub struct StopOnDrop<'a>(pub &'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

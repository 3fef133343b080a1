//! Waits for which the machine is to blame, not the lock.
//!
//! A waiter that is woken and gets no processor finds the lock taken again, and sleeps once more:
//! part of the wait is then the machine's, and all of it may follow from that part.

use std::collections::HashMap;
use std::time::Duration;

use crate::sys::inspect;

/// A wait is the machine's if it kept the waiter from running for one part in this many.
const PART: u32 = 4;

/// By slot, the delays of the threads of its process at the end of its last wait.
#[derive(Debug)]
pub(super) struct RunDelays(Vec<HashMap<i32, Duration>>);

impl RunDelays {
    pub(super) fn new(slots: usize) -> Self {
        RunDelays(vec![HashMap::new(); slots])
    }

    /// Returns `true` if the machine is to blame for a wait of a slot that ends now.
    ///
    /// Which thread waited is not known, so the one that was delayed most counts. What delayed it
    /// between two waits counts as well, which errs in favour of the lock.
    pub(super) fn explain(&self, slot: usize, process: u32, wait: Duration) -> bool {
        let before = &self.0[slot];
        let since = |(thread, delay): (i32, Duration)| {
            delay.saturating_sub(before.get(&thread).copied().unwrap_or_default())
        };
        let longest = inspect::run_delays(process).into_iter().map(since).max();
        longest.is_some_and(|longest| longest >= wait / PART)
    }

    /// Counts from now on for the next wait of a slot.
    pub(super) fn note(&mut self, slot: usize, process: u32) {
        self.0[slot] = inspect::run_delays(process).into_iter().collect();
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::RunDelays;

    /// Ends these processes on every way out.
    struct Processes(Vec<std::process::Child>);

    impl Drop for Processes {
        fn drop(&mut self) {
            for process in &mut self.0 {
                let _ = process.kill();
                let _ = process.wait();
            }
        }
    }

    #[test]
    fn a_process_that_competes_for_processors_is_delayed_and_one_that_sleeps_is_not() {
        let start = |script: &str| Command::new("sh").args(["-c", script]).spawn().unwrap();
        let sleeper = start("exec sleep 1000");
        let processors = std::thread::available_parallelism().unwrap().get();
        let busy = (0..=4 * processors).map(|_| start("while :; do :; done"));
        let processes = Processes(std::iter::once(sleeper).chain(busy).collect());
        let [asleep, busy] = [0, 1].map(|process| processes.0[process].id());
        let mut delays = RunDelays::new(2);
        delays.note(0, asleep);
        delays.note(1, busy);
        let began = Instant::now();
        let wait = Duration::from_millis(200);
        while !delays.explain(1, busy, wait) {
            assert!(began.elapsed() < Duration::from_secs(60), "never delayed");
            std::thread::yield_now();
        }
        assert!(!delays.explain(0, asleep, began.elapsed()));
        delays.note(1, busy);
        assert!(!delays.explain(1, busy, Duration::from_secs(3600)));
    }
}

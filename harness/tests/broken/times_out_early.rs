//! Bug: a timed wait ends too early, always or once in twenty.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, Oslo, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Timeout;
pub const EVIDENCE: &str = "too early; worker 0 had held the lock since";

/// Counts the waits of each process from a different start.
static WAITS: AtomicU64 = AtomicU64::new(0);

pub struct Hasty {
    lock: Oslo,
    once_in: u64,
}

pub fn make(directory: &Path) -> Hasty {
    hasty(directory, 1)
}

pub fn once_in_20(directory: &Path) -> Hasty {
    hasty(directory, 20)
}

fn hasty(directory: &Path, once_in: u64) -> Hasty {
    let lock = Oslo::new(directory);
    Hasty { lock, once_in }
}

impl Lock for Hasty {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let limit = match limit {
            WaitLimit::AtMost(time)
                if (WAITS.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id()))
                    .is_multiple_of(self.once_in) =>
            {
                WaitLimit::AtMost(time * 2 / 3)
            }
            other => other,
        };
        self.lock.run(limit, section)
    }
}

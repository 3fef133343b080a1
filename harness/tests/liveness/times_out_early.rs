//! Bug: one timed wait in twenty is over after half of its time.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use lockutils_harness::conformance::{Answer, Guarantee, Lock, Oslo, Patience};

#[allow(dead_code, reason = "other tests use the lock only")]
pub const FOUND_BY: Guarantee = Guarantee::Timeout;
const ONCE_IN: u64 = 20;

pub struct SometimesEarly(Oslo, AtomicU64);

pub fn make(directory: &Path) -> SometimesEarly {
    SometimesEarly(Oslo::new(directory), AtomicU64::new(1))
}

impl Lock for SometimesEarly {
    fn run(&self, patience: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let patience = match patience {
            Patience::AtMost(time)
                if self
                    .1
                    .fetch_add(1, Ordering::Relaxed)
                    .is_multiple_of(ONCE_IN) =>
            {
                Patience::AtMost(time / 2)
            }
            other => other,
        };
        self.0.run(patience, section)
    }
}

//! Bug: one try in fifty is told that the lock is held, whoever holds it.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use lockutils_harness::conformance::{Answer, Guarantee, Lock, Oslo, Patience};

#[allow(dead_code, reason = "other tests use the lock only")]
pub const FOUND_BY: Guarantee = Guarantee::GivenUp;
const ONCE_IN: u64 = 50;

pub struct SometimesBusy(Oslo, AtomicU64);

pub fn make(directory: &Path) -> SometimesBusy {
    SometimesBusy(Oslo::new(directory), AtomicU64::new(1))
}

impl Lock for SometimesBusy {
    fn run(&self, patience: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        if patience == Patience::None
            && self
                .1
                .fetch_add(1, Ordering::Relaxed)
                .is_multiple_of(ONCE_IN)
        {
            return Ok(Answer::Busy);
        }
        self.0.run(patience, section)
    }
}

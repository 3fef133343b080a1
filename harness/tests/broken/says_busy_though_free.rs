//! Bug: a try-acquire fails although the lock is free: for a moment after each release, or once in
//! fifty.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, Oslo, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Try;
pub const EVIDENCE: &str = "the lock answered `busy`";

static TRIES: AtomicU64 = AtomicU64::new(0);

pub struct Shy {
    lock: Oslo,
    once_in: u64,
}

pub fn make(directory: &Path) -> Shy {
    shy(directory, 2)
}

pub fn once_in_50(directory: &Path) -> Shy {
    shy(directory, 50)
}

fn shy(directory: &Path, once_in: u64) -> Shy {
    let lock = Oslo::new(directory);
    Shy { lock, once_in }
}

impl Lock for Shy {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        if limit == WaitLimit::NoWait
            && (TRIES.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id()))
                .is_multiple_of(self.once_in)
        {
            return Ok(Answer::Busy);
        }
        self.lock.run(limit, section)
    }
}

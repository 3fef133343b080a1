//! Bug: the holder is stored in the memory of the process, which a forked child copies.

use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, Oslo, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::ForkedLocking;

static HELD: AtomicBool = AtomicBool::new(false);

pub struct Reentrant(Oslo);

pub fn make(directory: &Path) -> Reentrant {
    Reentrant(Oslo::new(directory))
}

impl Lock for Reentrant {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        if HELD.load(Ordering::SeqCst) {
            section();
            return Ok(Answer::Ran);
        }
        self.0.run(limit, &mut || {
            HELD.store(true, Ordering::SeqCst);
            section();
            HELD.store(false, Ordering::SeqCst);
        })
    }
}

//! Bug: once in 1,000 the lock is released before the section ends.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Processes;
pub const EVIDENCE: &str = "";

static SECTIONS: AtomicU64 = AtomicU64::new(0);

pub struct Premature(PathBuf);

pub fn make(directory: &Path) -> Premature {
    Premature(directory.join("lock"))
}

impl Lock for Premature {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        match limit {
            WaitLimit::Forever => file.lock()?,
            WaitLimit::NoWait if file.try_lock().is_err() => return Ok(Answer::Busy),
            WaitLimit::NoWait => {}
            WaitLimit::AtMost(_) => return Ok(Answer::Unsupported),
        }
        let number = SECTIONS.fetch_add(1, Ordering::Relaxed) + u64::from(std::process::id());
        if number.is_multiple_of(1_000) {
            file.unlock()?;
        }
        section();
        Ok(Answer::Ran)
    }
}

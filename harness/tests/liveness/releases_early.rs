//! Bug: one section in 1,000 is entered when the lock has been released already.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use lockutils_harness::conformance::{Answer, Guarantee, Lock, Patience};

#[allow(dead_code, reason = "other tests use the lock only")]
pub const FOUND_BY: Guarantee = Guarantee::Processes;
const ONCE_IN: u64 = 1_000;

pub struct Hasty(PathBuf, AtomicU64);

pub fn make(directory: &Path) -> Hasty {
    Hasty(directory.join("lock"), AtomicU64::new(1))
}

impl Lock for Hasty {
    fn run(&self, patience: Patience, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        match patience {
            Patience::Forever => file.lock()?,
            Patience::None if file.try_lock().is_err() => return Ok(Answer::Busy),
            Patience::None => {}
            Patience::AtMost(_) => return Ok(Answer::Unsupported),
        }
        if self
            .1
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(ONCE_IN)
        {
            file.unlock()?;
        }
        section();
        file.unlock()?;
        Ok(Answer::Ran)
    }
}

//! std's `File::try_lock`: polls every millisecond, and unlocks by closing the file.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub struct Polling(PathBuf);

pub fn make(directory: &Path) -> Polling {
    Polling(directory.join("lock"))
}

impl Lock for Polling {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        let asked = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) => {}
            }
            match limit {
                WaitLimit::NoWait => return Ok(Answer::Busy),
                WaitLimit::AtMost(time) if asked.elapsed() >= time => return Ok(Answer::TimedOut),
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        !matches!(
            guarantee,
            Guarantee::ForkedRelease
                | Guarantee::ForkedSurvivor
                | Guarantee::ForkedLocking
                | Guarantee::Removal
                | Guarantee::Fairness
        )
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

//! flock(2): waits in the kernel, and unlocks explicitly.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub struct Flock(PathBuf);

pub fn make(directory: &Path) -> Flock {
    Flock(directory.join("lock"))
}

/// Unlocks even if the section panics.
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

impl Lock for Flock {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        match limit {
            WaitLimit::Forever => loop {
                match file.lock() {
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    other => break other?,
                }
            },
            WaitLimit::NoWait => match file.try_lock() {
                Err(std::fs::TryLockError::WouldBlock) => return Ok(Answer::Busy),
                other => other?,
            },
            WaitLimit::AtMost(_) => return Ok(Answer::Unsupported),
        }
        let _held = Held(file);
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        !matches!(
            guarantee,
            Guarantee::ForkedRelease
                | Guarantee::ForkedSurvivor
                | Guarantee::Removal
                | Guarantee::Timeout
                | Guarantee::GivenUp
                | Guarantee::Fairness
        )
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

use std::error::Error;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

/// `std::fs::File::lock`: flock(2).
#[derive(Debug)]
pub struct StdFile(PathBuf);

impl StdFile {
    /// The lock in `directory`.
    pub fn new(directory: &Path) -> Self {
        StdFile(directory.join("lock"))
    }
}

impl Lock for StdFile {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = super::open(&self.0)?;
        match limit {
            WaitLimit::Forever => file.lock()?,
            WaitLimit::NoWait => match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Answer::Busy),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            },
            WaitLimit::AtMost(_) => return Ok(Answer::Unsupported),
        }
        section();
        file.unlock()?;
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        guarantee != Guarantee::Fairness
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

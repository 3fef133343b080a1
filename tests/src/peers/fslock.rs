use std::error::Error;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

/// `fslock::LockFile`: flock(2).
#[derive(Debug)]
pub struct Fslock(PathBuf);

impl Fslock {
    /// The lock in `directory`.
    pub fn new(directory: &Path) -> Self {
        Fslock(directory.join("lock"))
    }
}

impl Lock for Fslock {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let mut file = ::fslock::LockFile::open(&self.0)?;
        match limit {
            WaitLimit::Forever => file.lock()?,
            WaitLimit::NoWait if !file.try_lock()? => return Ok(Answer::Busy),
            WaitLimit::NoWait => {}
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

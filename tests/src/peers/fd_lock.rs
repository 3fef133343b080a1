use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

/// `fd_lock::RwLock`, held for writing: flock(2).
#[derive(Debug)]
pub struct FdLock(PathBuf);

impl FdLock {
    /// The lock in `directory`.
    pub fn new(directory: &Path) -> Self {
        FdLock(directory.join("lock"))
    }
}

impl Lock for FdLock {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let mut lock = ::fd_lock::RwLock::new(super::open(&self.0)?);
        let _guard = match limit {
            WaitLimit::Forever => lock.write()?,
            WaitLimit::NoWait => match lock.try_write() {
                Ok(guard) => guard,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Answer::Busy),
                Err(error) => return Err(error.into()),
            },
            WaitLimit::AtMost(_) => return Ok(Answer::Unsupported),
        };
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        guarantee != Guarantee::Fairness
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

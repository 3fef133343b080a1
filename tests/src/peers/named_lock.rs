use std::error::Error;
use std::path::{Path, PathBuf};

use ::named_lock::NamedLock;
use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

/// `named_lock::NamedLock` with a path: flock(2) and a mutex of the process.
#[derive(Debug)]
pub struct Named(PathBuf);

impl Named {
    /// The lock in `directory`.
    pub fn new(directory: &Path) -> Self {
        Named(directory.join("lock"))
    }
}

impl Lock for Named {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let lock = NamedLock::with_path(&self.0)?;
        let _guard = match limit {
            WaitLimit::Forever => lock.lock()?,
            WaitLimit::NoWait => match lock.try_lock() {
                Ok(guard) => guard,
                Err(::named_lock::Error::WouldBlock) => return Ok(Answer::Busy),
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

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

/// `file_guard::FileGuard` on the first byte: POSIX record locks.
#[derive(Debug)]
pub struct FileGuard(PathBuf);

impl FileGuard {
    /// The lock in `directory`.
    pub fn new(directory: &Path) -> Self {
        FileGuard(directory.join("lock"))
    }
}

impl Lock for FileGuard {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = super::open(&self.0)?;
        let exclusive = ::file_guard::Lock::Exclusive;
        let _guard = match limit {
            WaitLimit::Forever => ::file_guard::lock(&file, exclusive, 0, 1)?,
            WaitLimit::NoWait => match ::file_guard::try_lock(&file, exclusive, 0, 1) {
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

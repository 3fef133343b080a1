//! Bug: flock(2) on a descriptor that a forked child shares; the child's unlock frees the parent's
//! lock.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::ForkedRelease;

pub struct Flock(PathBuf);

pub fn make(directory: &Path) -> Flock {
    Flock(directory.join("lock"))
}

impl Lock for Flock {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        file.lock()?;
        section();
        file.unlock()?;
        Ok(Answer::Ran)
    }
}

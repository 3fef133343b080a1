//! Bug: after locking it does not check that the path still names the file, so two holders lock two
//! files.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Removal;

pub struct Unchecked(PathBuf);

pub fn make(directory: &Path) -> Unchecked {
    Unchecked(directory.join("lock"))
}

impl Lock for Unchecked {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        file.lock()?;
        section();
        Ok(Answer::Ran)
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

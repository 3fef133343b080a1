//! Bug: the lock is a directory, and the directory of a dead holder is never removed.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Death;

pub struct Mkdir(PathBuf);

pub fn make(directory: &Path) -> Mkdir {
    Mkdir(directory.join("lock"))
}

impl Lock for Mkdir {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        while fs::create_dir(&self.0).is_err() {
            std::thread::yield_now();
        }
        section();
        fs::remove_dir(&self.0)?;
        Ok(Answer::Ran)
    }
}

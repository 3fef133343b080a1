//! Bug: if the kernel refuses to lock, it continues without the lock.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Refusal;

pub struct Careless(PathBuf);

pub fn make(directory: &Path) -> Careless {
    Careless(directory.join("lock"))
}

impl Lock for Careless {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        if let Err(error) = file.lock() {
            eprintln!("going on without a lock: {error}");
        }
        section();
        Ok(Answer::Ran)
    }
}

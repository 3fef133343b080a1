//! Bug: the lock is released after the section instead of by a guard, so it stays held after a
//! panic.

use std::error::Error;
use std::fs::File;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Panic;

pub struct Unguarded(PathBuf);

pub fn make(directory: &Path) -> Unguarded {
    Unguarded(directory.join("lock"))
}

impl Lock for Unguarded {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = ManuallyDrop::new(File::create(&self.0)?);
        if limit != WaitLimit::NoWait {
            file.lock()?;
        } else if file.try_lock().is_err() {
            return Ok(Answer::Busy);
        }
        section();
        drop(ManuallyDrop::into_inner(file));
        Ok(Answer::Ran)
    }
}

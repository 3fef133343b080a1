//! Bug: any end of the wait counts as success, including a signal.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Signals;

pub struct Interrupted(PathBuf);

pub fn make(directory: &Path) -> Interrupted {
    Interrupted(directory.join("lock"))
}

impl Lock for Interrupted {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        let _ = file.lock();
        section();
        Ok(Answer::Ran)
    }
}

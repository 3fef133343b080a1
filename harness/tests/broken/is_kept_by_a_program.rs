//! Bug: the descriptor is not close-on-exec, so a program started by the holder keeps the lock.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

pub const FOUND_BY: Guarantee = Guarantee::Executed;

pub struct Inherited(PathBuf);

pub fn make(directory: &Path) -> Inherited {
    Inherited(directory.join("lock"))
}

impl Lock for Inherited {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        fcntl(&file, FcntlArg::F_SETFD(FdFlag::empty()))?;
        file.lock()?;
        section();
        Ok(Answer::Ran)
    }
}

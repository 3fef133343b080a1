//! Bug: a POSIX record lock belongs to the process, so its threads do not exclude each other.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
use nix::fcntl::{FcntlArg, fcntl};

pub const FOUND_BY: Guarantee = Guarantee::Threads;

pub struct RecordLock(PathBuf);

pub fn make(directory: &Path) -> RecordLock {
    RecordLock(directory.join("lock"))
}

impl Lock for RecordLock {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.0)?;
        let whole = libc::flock {
            l_type: libc::F_WRLCK as i16,
            l_whence: libc::SEEK_SET as i16,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(&file, FcntlArg::F_SETLKW(&whole))?;
        section();
        Ok(Answer::Ran)
    }
}

//! An open-file-description lock (fcntl(2), `F_OFD_SETLKW`); timed waits poll every two
//! milliseconds.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

pub struct Ofd(PathBuf);

pub fn make(directory: &Path) -> Ofd {
    Ofd(directory.join("lock"))
}

const WHOLE: libc::flock = libc::flock {
    l_type: libc::F_WRLCK as i16,
    l_whence: libc::SEEK_SET as i16,
    l_start: 0,
    l_len: 0,
    l_pid: 0,
};

impl Lock for Ofd {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.0)?;
        let asked = Instant::now();
        loop {
            let how = match limit {
                WaitLimit::Forever => FcntlArg::F_OFD_SETLKW(&WHOLE),
                _ => FcntlArg::F_OFD_SETLK(&WHOLE),
            };
            match fcntl(&file, how) {
                Ok(_) => break,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::EACCES) => {}
                Err(error) => return Err(error.into()),
            }
            match limit {
                WaitLimit::NoWait => return Ok(Answer::Busy),
                WaitLimit::AtMost(time) if asked.elapsed() >= time => return Ok(Answer::TimedOut),
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        !matches!(
            guarantee,
            Guarantee::ForkedRelease
                | Guarantee::ForkedSurvivor
                | Guarantee::ForkedLocking
                | Guarantee::Removal
                | Guarantee::Fairness
        )
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

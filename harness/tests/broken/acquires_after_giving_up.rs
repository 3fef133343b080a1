//! Bug: a wait that was given up continues in the background and acquires the lock for a while.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::GivenUp;
pub const EVIDENCE: &str = "although no other worker held or requested it meanwhile";

pub struct Lingering(PathBuf);

pub fn make(directory: &Path) -> Lingering {
    Lingering(directory.join("lock"))
}

impl Lock for Lingering {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        let asked = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) => {}
            }
            match limit {
                WaitLimit::NoWait => return Ok(Answer::Busy),
                WaitLimit::AtMost(time) if asked.elapsed() >= time => {
                    std::thread::spawn(move || {
                        let _ = file.lock();
                        std::thread::sleep(Duration::from_millis(10));
                    });
                    return Ok(Answer::TimedOut);
                }
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        section();
        Ok(Answer::Ran)
    }
}

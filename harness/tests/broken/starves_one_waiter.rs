//! Bug: most waiters poll every 20 ms, but one only every 200 ms.

use std::error::Error;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Progress;
pub const EVIDENCE: &str = "was starved";

pub struct Unequal {
    lock: PathBuf,
    pause: Duration,
}

pub fn make(directory: &Path) -> Unequal {
    // The third lock created for one directory is the slow one.
    let places = (0..).map(|number| directory.join(format!("place-{number}")));
    let taken = places.take_while(|place| File::create_new(place).is_err());
    let pause = match taken.count() {
        3 => Duration::from_millis(200),
        _ => Duration::from_millis(20),
    };
    Unequal {
        lock: directory.join("lock"),
        pause,
    }
}

impl Lock for Unequal {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.lock)?;
        let asked = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) => {}
            }
            match limit {
                WaitLimit::NoWait => return Ok(Answer::Busy),
                WaitLimit::AtMost(time) if asked.elapsed() >= time => return Ok(Answer::TimedOut),
                _ => std::thread::sleep(self.pause),
            }
        }
        section();
        Ok(Answer::Ran)
    }
}

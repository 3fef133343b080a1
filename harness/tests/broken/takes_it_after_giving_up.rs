//! Bug: a thread waits on behalf of the caller and acquires the lock although the caller has given
//! up.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::GivenUp;

pub struct Deputy(PathBuf);

pub fn make(directory: &Path) -> Deputy {
    Deputy(directory.join("lock"))
}

impl Lock for Deputy {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        match limit {
            WaitLimit::Forever => file.lock()?,
            WaitLimit::NoWait if file.try_lock().is_err() => return Ok(Answer::Busy),
            WaitLimit::NoWait => {}
            WaitLimit::AtMost(time) => {
                let (tell, told) = mpsc::channel();
                let deputy = file.try_clone()?;
                std::thread::spawn(move || {
                    let _ = deputy.lock();
                    if tell.send(()).is_err() {
                        std::mem::forget(deputy);
                    }
                });
                if told.recv_timeout(time).is_err() {
                    return Ok(Answer::TimedOut);
                }
            }
        }
        section();
        file.unlock()?;
        Ok(Answer::Ran)
    }
}

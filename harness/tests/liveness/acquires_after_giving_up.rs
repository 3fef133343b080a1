//! Bug: a timed wait that was given up continues in the background and keeps the lock it acquires.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

#[allow(dead_code, reason = "other tests use the lock only")]
pub const FOUND_BY: Guarantee = Guarantee::GivenUp;

pub struct Persistent(PathBuf);

pub fn make(directory: &Path) -> Persistent {
    Persistent(directory.join("lock"))
}

impl Lock for Persistent {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        match limit {
            WaitLimit::Forever => file.lock()?,
            WaitLimit::NoWait if file.try_lock().is_err() => return Ok(Answer::Busy),
            WaitLimit::NoWait => {}
            WaitLimit::AtMost(time) if file.try_lock().is_err() => {
                let (tell, told) = mpsc::channel();
                let waiter = file.try_clone()?;
                thread::spawn(move || {
                    while waiter.try_lock().is_err() {
                        thread::sleep(Duration::from_micros(200));
                    }
                    if tell.send(()).is_err() {
                        loop {
                            thread::park(); // keeps the lock forever
                        }
                    }
                });
                if told.recv_timeout(time).is_err() {
                    return Ok(Answer::TimedOut);
                }
            }
            WaitLimit::AtMost(_) => {}
        }
        section();
        file.unlock()?;
        Ok(Answer::Ran)
    }
}

//! Bug: waiters poll, so the one that polls first after the release acquires the lock.

use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::Fairness;

/// The later a waiter arrives, the more often it polls.
static COMERS: AtomicU64 = AtomicU64::new(0);

pub struct Polling(PathBuf);

pub fn make(directory: &Path) -> Polling {
    Polling(directory.join("lock"))
}

impl Lock for Polling {
    fn run(&self, _: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        let comer = COMERS.fetch_add(1, Ordering::Relaxed);
        while file.try_lock().is_err() {
            std::thread::sleep(Duration::from_millis(5 - comer % 5));
        }
        section();
        Ok(Answer::Ran)
    }
}

//! Bug: waiters poll every 20 ms, but one of them only every 200 ms.

use std::cell::Cell;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

#[allow(dead_code, reason = "other tests use the lock only")]
pub const FOUND_BY: Guarantee = Guarantee::Fairness;

thread_local!(static IS_SLOW: Cell<Option<bool>> = const { Cell::new(None) });

pub struct Starving(PathBuf);

pub fn make(directory: &Path) -> Starving {
    Starving(directory.join("lock"))
}

impl Starving {
    /// The first thread that has to wait is the slow one.
    fn interval(&self) -> Duration {
        let is_slow = IS_SLOW.get().unwrap_or_else(|| {
            let slow = self.0.with_extension("slow");
            File::create_new(slow).is_ok()
        });
        IS_SLOW.set(Some(is_slow));
        Duration::from_millis(if is_slow { 200 } else { 20 })
    }
}

impl Lock for Starving {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let file = File::create(&self.0)?;
        let asked = Instant::now();
        while file.try_lock().is_err() {
            let interval = match limit {
                WaitLimit::NoWait => return Ok(Answer::Busy),
                WaitLimit::Forever => self.interval(),
                WaitLimit::AtMost(time) if asked.elapsed() >= time => return Ok(Answer::TimedOut),
                WaitLimit::AtMost(time) => {
                    self.interval().min(time.saturating_sub(asked.elapsed()))
                }
            };
            std::thread::sleep(interval);
        }
        section();
        file.unlock()?;
        Ok(Answer::Ran)
    }
}

//! A POSIX record lock between processes, and a table of holders between threads.

use std::collections::HashMap;
use std::error::Error;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

/// The file is opened once and stays open: closing any descriptor of it releases the record lock.
struct Entry {
    file: File,
    taken: Mutex<bool>,
    given_back: Condvar,
}

static TABLE: LazyLock<Mutex<HashMap<PathBuf, Arc<Entry>>>> = LazyLock::new(Mutex::default);

pub struct RecordLock(PathBuf);

pub fn make(directory: &Path) -> RecordLock {
    RecordLock(directory.join("lock"))
}

/// Releases the turn between threads and the kernel's lock, even if the section panics.
struct Turn<'a> {
    entry: &'a Entry,
    locked: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.locked {
            let _ = fcntl(&self.entry.file, FcntlArg::F_SETLK(&whole(libc::F_UNLCK)));
        }
        *self.entry.taken.lock().unwrap() = false;
        self.entry.given_back.notify_one();
    }
}

fn whole(kind: i32) -> libc::flock {
    libc::flock {
        l_type: kind as i16,
        l_whence: libc::SEEK_SET as i16,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

impl Entry {
    /// The turn, or `None` if another thread had it until the deadline.
    fn turn(&self, limit: WaitLimit, deadline: Option<Instant>) -> Option<Turn<'_>> {
        let mut taken = self.taken.lock().unwrap();
        while *taken {
            if limit == WaitLimit::NoWait {
                return None;
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return None;
            }
            let left = left.unwrap_or(Duration::from_secs(3600));
            taken = self.given_back.wait_timeout(taken, left).unwrap().0;
        }
        *taken = true;
        let entry = self;
        Some(Turn {
            entry,
            locked: false,
        })
    }
}

impl Lock for RecordLock {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let entry = {
            let mut table = TABLE.lock().unwrap();
            if !table.contains_key(&self.0) {
                let entry = Entry {
                    file: File::create(&self.0)?,
                    taken: Mutex::new(false),
                    given_back: Condvar::new(),
                };
                table.insert(self.0.clone(), Arc::new(entry));
            }
            Arc::clone(&table[&self.0])
        };
        let deadline = match limit {
            WaitLimit::AtMost(time) => Some(Instant::now() + time),
            _ => None,
        };
        let refused = match limit {
            WaitLimit::NoWait => Answer::Busy,
            _ => Answer::TimedOut,
        };
        let Some(mut turn) = entry.turn(limit, deadline) else {
            return Ok(refused);
        };
        let whole = whole(libc::F_WRLCK);
        loop {
            let how = match limit {
                WaitLimit::Forever => FcntlArg::F_SETLKW(&whole),
                _ => FcntlArg::F_SETLK(&whole),
            };
            match fcntl(&entry.file, how) {
                Ok(_) => break,
                Err(Errno::EINTR) => continue,
                Err(Errno::EAGAIN | Errno::EACCES) => {}
                Err(error) => return Err(error.into()),
            }
            if deadline.is_none_or(|at| Instant::now() >= at) {
                return Ok(refused);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        turn.locked = true;
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        !matches!(
            guarantee,
            Guarantee::Reopening
                | Guarantee::ForkedLocking
                | Guarantee::Removal
                | Guarantee::Fairness
        )
    }

    fn file(&self) -> Option<PathBuf> {
        Some(self.0.clone())
    }
}

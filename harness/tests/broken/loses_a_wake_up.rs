//! Bug: a mutex in shared memory whose release, once in 10,000, does not wake the sleeping waiter.

use std::error::Error;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub const FOUND_BY: Guarantee = Guarantee::HandOver;
pub const EVIDENCE: &str = "has waited for the lock since";

const FREE: u32 = 0;
const HELD: u32 = 1;
const WAITED_FOR: u32 = 2;
const ONCE_IN: u64 = 10_000;

pub struct Sleepy(NonNull<AtomicU32>);

// SAFETY: an atomic in memory that stays mapped.
unsafe impl Sync for Sleepy {}

pub fn make(directory: &Path) -> Sleepy {
    let path = directory.join("mutex");
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .unwrap();
    file.set_len(4).unwrap();
    // SAFETY: a new mapping, never unmapped, of a file that is never shortened; zeros are a free
    // mutex.
    let at = unsafe {
        libc::mmap(
            null_mut(),
            4,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    assert_ne!(at, libc::MAP_FAILED, "{}", io::Error::last_os_error());
    Sleepy(NonNull::new(at.cast()).unwrap())
}

impl Sleepy {
    fn word(&self) -> &AtomicU32 {
        // SAFETY: see `make`.
        unsafe { self.0.as_ref() }
    }

    fn sleep(&self, deadline: Option<Instant>) {
        let time = deadline.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            libc::timespec {
                tv_sec: left.as_secs() as libc::time_t,
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let time = time.as_ref().map_or(null(), std::ptr::from_ref);
        // SAFETY: the word is mapped, and the time is read only.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                self.0.as_ptr(),
                libc::FUTEX_WAIT,
                WAITED_FOR,
                time,
            )
        };
    }

    fn unlock(&self) {
        static RELEASES: AtomicU64 = AtomicU64::new(0);
        if self.word().swap(FREE, Ordering::Release) != WAITED_FOR {
            return;
        }
        let number = RELEASES.fetch_add(1, Ordering::Relaxed);
        let hash = (number + u64::from(std::process::id())).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        if !(hash >> 32).is_multiple_of(ONCE_IN) {
            // SAFETY: the word is mapped.
            unsafe { libc::syscall(libc::SYS_futex, self.0.as_ptr(), libc::FUTEX_WAKE, 1) };
        }
    }
}

impl Lock for Sleepy {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let deadline = match limit {
            WaitLimit::AtMost(time) => Some(Instant::now() + time),
            _ => None,
        };
        let word = self.word();
        if word
            .compare_exchange(FREE, HELD, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            if limit == WaitLimit::NoWait {
                return Ok(Answer::Busy);
            }
            while word.swap(WAITED_FOR, Ordering::Acquire) != FREE {
                if deadline.is_some_and(|at| Instant::now() >= at) {
                    return Ok(Answer::TimedOut);
                }
                self.sleep(deadline);
            }
        }
        section();
        self.unlock();
        Ok(Answer::Ran)
    }
}

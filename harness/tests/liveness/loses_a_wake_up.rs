//! Bug: one release in 10,000 does not wake the waiter.
//!
//! Otherwise the mutex of Ulrich Drepper, "Futexes are tricky" (2011), section 5, in a shared file.

use std::error::Error;
use std::fs::File;
use std::num::NonZeroUsize;
use std::path::Path;
use std::ptr::{NonNull, null};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

#[allow(dead_code, reason = "other tests use the lock only")]
pub const FOUND_BY: Guarantee = Guarantee::Processes;
const ONCE_IN: u32 = 10_000;

const FREE: u32 = 0;
const HELD: u32 = 1;
const HELD_WITH_WAITERS: u32 = 2;

pub struct Forgetful(NonNull<[AtomicU32; 2]>);

// SAFETY: the memory consists of atomics, and stays mapped.
unsafe impl Sync for Forgetful {}

pub fn make(directory: &Path) -> Forgetful {
    let path = directory.join("lock");
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path).expect("a file for the lock");
    file.set_len(8).expect("room for the lock");
    let length = NonZeroUsize::new(8).expect("not 0");
    let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, of a file that is never shortened.
    let memory = unsafe { mmap(None, length, access, MapFlags::MAP_SHARED, &file, 0) };
    Forgetful(memory.expect("memory").cast())
}

impl Forgetful {
    fn words(&self) -> &[AtomicU32; 2] {
        // SAFETY: mapped for good, aligned to a page; any bits are valid.
        unsafe { self.0.as_ref() }
    }

    fn sleep_while_it_has_waiters(&self, at_most: Option<Duration>) {
        let time = at_most.map(|time| libc::timespec {
            tv_sec: time.as_secs() as i64,
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        let time = time.as_ref().map_or(null(), std::ptr::from_ref);
        let word = self.words()[0].as_ptr();
        // SAFETY: futex(2) reads the word and the time, which outlive the call.
        unsafe {
            libc::syscall(
                libc::SYS_futex,
                word,
                libc::FUTEX_WAIT,
                HELD_WITH_WAITERS,
                time,
            )
        };
    }

    fn release(&self) {
        let [state, releases] = self.words();
        if state.swap(FREE, Ordering::AcqRel) == HELD_WITH_WAITERS {
            if releases.fetch_add(1, Ordering::Relaxed) % ONCE_IN == ONCE_IN - 1 {
                return;
            }
            // SAFETY: futex(2) only takes the address.
            unsafe { libc::syscall(libc::SYS_futex, state.as_ptr(), libc::FUTEX_WAKE, 1) };
        }
    }
}

impl Lock for Forgetful {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let state = &self.words()[0];
        let asked = Instant::now();
        if state
            .compare_exchange(FREE, HELD, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            if limit == WaitLimit::NoWait {
                return Ok(Answer::Busy);
            }
            while state.swap(HELD_WITH_WAITERS, Ordering::AcqRel) != FREE {
                let left = match limit {
                    WaitLimit::AtMost(time) if asked.elapsed() >= time => {
                        return Ok(Answer::TimedOut);
                    }
                    WaitLimit::AtMost(time) => Some(time.saturating_sub(asked.elapsed())),
                    _ => None,
                };
                self.sleep_while_it_has_waiters(left);
            }
        }
        section();
        self.release();
        Ok(Answer::Ran)
    }
}

//! A robust pthread mutex in a file mapped by all processes. The kernel knows it only while a
//! thread waits.

use std::error::Error;
use std::fs::{self, File};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lockutils_harness::testing::conformance::{Answer, Guarantee, Lock, WaitLimit};

pub struct Mutex(NonNull<libc::pthread_mutex_t>);

// SAFETY: a mutex is made for several threads, and its memory stays mapped.
unsafe impl Sync for Mutex {}

const SIZE: usize = size_of::<libc::pthread_mutex_t>();

pub fn make(directory: &Path) -> Mutex {
    let path = directory.join("mutex");
    if !path.exists() {
        // The first process creates it atomically.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let own = directory.join(format!("mutex-{}-{number}", std::process::id()));
        // SAFETY: gettid(2) has no arguments.
        let own = own.with_extension(unsafe { libc::gettid() }.to_string());
        initialize(map(&own).unwrap());
        let _ = fs::hard_link(&own, &path);
        fs::remove_file(&own).unwrap();
    }
    Mutex(map(&path).unwrap())
}

fn map(path: &Path) -> io::Result<NonNull<libc::pthread_mutex_t>> {
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.set_len(SIZE as u64)?;
    // SAFETY: a new mapping, which is never unmapped; the file is that long and never shortened.
    let at = unsafe {
        libc::mmap(
            null_mut(),
            SIZE,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    match at {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        at => Ok(NonNull::new(at.cast()).unwrap()),
    }
}

fn initialize(mutex: NonNull<libc::pthread_mutex_t>) {
    let mut attributes = MaybeUninit::uninit();
    // SAFETY: the attributes are initialized before use, and no other process has the memory yet.
    unsafe {
        let attributes = attributes.as_mut_ptr();
        libc::pthread_mutexattr_init(attributes);
        libc::pthread_mutexattr_setpshared(attributes, libc::PTHREAD_PROCESS_SHARED);
        libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST);
        libc::pthread_mutex_init(mutex.as_ptr(), attributes);
    }
}

/// Unlocks even if the section panics.
struct Held<'a>(&'a Mutex);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // SAFETY: an initialized mutex. Unlocking one of another thread is an error without effect.
        unsafe { libc::pthread_mutex_unlock(self.0.0.as_ptr()) };
    }
}

/// pthread_mutex_timedlock(3) takes an absolute time of the real-time clock.
fn deadline(time: Duration) -> libc::timespec {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap() + time + Duration::from_nanos(1);
    libc::timespec {
        tv_sec: at.as_secs() as libc::time_t,
        tv_nsec: at.subsec_nanos().into(),
    }
}

impl Lock for Mutex {
    fn run(&self, limit: WaitLimit, section: &mut dyn FnMut()) -> Result<Answer, Box<dyn Error>> {
        let mutex = self.0.as_ptr();
        // SAFETY: `make` has initialized it.
        let outcome = unsafe {
            match limit {
                WaitLimit::Forever => libc::pthread_mutex_lock(mutex),
                WaitLimit::NoWait => libc::pthread_mutex_trylock(mutex),
                WaitLimit::AtMost(time) => libc::pthread_mutex_timedlock(mutex, &deadline(time)),
            }
        };
        match outcome {
            0 => {}
            // SAFETY: as above; the holder has died, and this thread has the lock.
            libc::EOWNERDEAD => drop(unsafe { libc::pthread_mutex_consistent(mutex) }),
            libc::EBUSY => return Ok(Answer::Busy),
            libc::ETIMEDOUT => return Ok(Answer::TimedOut),
            error => return Err(io::Error::from_raw_os_error(error).into()),
        }
        let _held = Held(self);
        section();
        Ok(Answer::Ran)
    }

    fn promises(&self, guarantee: Guarantee) -> bool {
        !matches!(
            guarantee,
            Guarantee::Reopening | Guarantee::Removal | Guarantee::Fairness | Guarantee::Refusal
        )
    }
}

//! Faults that a process injects into itself.

use std::io;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Interrupts the threads of this process with SIGALRM until the value is dropped; for worker
/// processes only, since the handler stays installed.
///
/// An interrupted sleep continues for the rest of its time *and* the timer slack of the thread
/// (50 µs by default: `PR_SET_TIMERSLACK`, prctl(2)). Under a signal every 30 µs no sleep would
/// ever end, nor a correct lock that polls every millisecond. So signals come in bursts,
/// [`INTERVAL`] apart, and each pause between two bursts is twice as long as the one before: every
/// sleep shorter than [`LONGEST_PAUSE`] ends.
#[derive(Debug)]
pub(crate) struct SignalStorm(());

/// Microseconds between two signals of a burst.
const INTERVAL: i64 = 120;
/// Signals in a burst.
const BURST: u32 = 24;
const FIRST_PAUSE: i64 = 500;
const LONGEST_PAUSE: i64 = 500_000;

/// Signals left in this burst.
static LEFT: AtomicU32 = AtomicU32::new(0);
/// The next pause in microseconds; 0 when the storm is over.
static PAUSE: AtomicI64 = AtomicI64::new(0);

impl SignalStorm {
    pub(crate) fn begin() -> io::Result<Self> {
        let action = SigAction::new(
            SigHandler::Handler(on_signal),
            SaFlags::empty(), // no SA_RESTART: system calls fail with EINTR
            SigSet::empty(),
        );
        // SAFETY: the handler uses atomics and setitimer(2), a plain system call.
        unsafe { sigaction(Signal::SIGALRM, &action) }?;
        LEFT.store(BURST, Ordering::Relaxed);
        PAUSE.store(FIRST_PAUSE, Ordering::Relaxed);
        next_signal(INTERVAL);
        Ok(SignalStorm(()))
    }
}

impl Drop for SignalStorm {
    fn drop(&mut self) {
        PAUSE.store(0, Ordering::Relaxed);
        next_signal(0);
    }
}

extern "C" fn on_signal(_: i32) {
    let pause = PAUSE.load(Ordering::Relaxed);
    if pause == 0 {
        return;
    }
    let left = LEFT.load(Ordering::Relaxed);
    if left > 0 {
        LEFT.store(left - 1, Ordering::Relaxed);
        return next_signal(INTERVAL);
    }
    LEFT.store(BURST, Ordering::Relaxed);
    let next = (2 * pause).min(LONGEST_PAUSE);
    // Fails if another thread has ended the storm meanwhile.
    let _ = PAUSE.compare_exchange(pause, next, Ordering::Relaxed, Ordering::Relaxed);
    next_signal(pause);
}

/// Schedules one signal after this time, and none for 0. Preserves errno, which the interrupted
/// code may be about to read.
fn next_signal(microseconds: i64) {
    let once = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: 0,
            tv_usec: microseconds as libc::suseconds_t,
        },
    };
    let before = Errno::last_raw();
    // SAFETY: the timer value is only read, and no old value is requested.
    unsafe {
        libc::setitimer(libc::ITIMER_REAL, &once, std::ptr::null_mut());
    }
    Errno::set_raw(before);
}

/// Prevents this process from opening descriptors until the value is dropped.
#[derive(Debug)]
pub(crate) struct Descriptors {
    before: (rlim_t, rlim_t),
}

impl Descriptors {
    pub(crate) fn begin() -> io::Result<Self> {
        let before = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, 0, before.1)?;
        Ok(Descriptors { before })
    }
}

impl Drop for Descriptors {
    fn drop(&mut self) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, self.before.0, self.before.1);
    }
}

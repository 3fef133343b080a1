//! An alarm that interrupts the calling thread's blocking system call at a deadline.
//!
//! The kernel can wait for a file lock but knows no deadline for it, so a timer sends the waiting thread, and nobody else
//! (`SIGEV_THREAD_ID`, timer_create(2)), a real-time signal whose handler does nothing; installed without `SA_RESTART`, it makes
//! fcntl(2) return `EINTR`. The timer fires again every [`REPEAT`], because a signal that arrives just before
//! the system call would otherwise be lost. The signal is chosen among those that nobody handles, at the first wait with a deadline.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

/// How often the alarm sounds again after its deadline.
const REPEAT: Duration = Duration::from_micros(200);

/// Interrupts this thread from the deadline on, until it is dropped.
pub(super) struct Alarm {
    timer: TimerId,
    previous_mask: libc::sigset_t,
}

impl Alarm {
    /// One that sounds at the deadline.
    pub(super) fn at(deadline: Instant) -> io::Result<Self> {
        let alarm = Alarm::silent()?;
        let left = deadline.saturating_duration_since(Instant::now());
        alarm.id().sound_in(left)?;
        Ok(alarm)
    }

    /// One that sounds when somebody makes it: [`TimerId::sound_now`].
    pub(super) fn silent() -> io::Result<Self> {
        let signal = claim_signal()?;
        // SAFETY: sigevent is plain data for which all zeroes is a valid value.
        let mut event: libc::sigevent = unsafe { MaybeUninit::zeroed().assume_init() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        // SAFETY: gettid(2) cannot fail.
        event.sigev_notify_thread_id = unsafe { libc::gettid() };
        let mut timer: libc::timer_t = ptr::null_mut();
        // SAFETY: `event` and `timer` are valid for the call.
        check(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) })?;
        Ok(Alarm {
            timer: TimerId(timer),
            previous_mask: unblock(signal),
        })
    }

    /// For others to sound it with, as long as it lives.
    pub(super) fn id(&self) -> TimerId {
        self.timer
    }
}

/// The kernel's number of an alarm. Its user sees to it that the alarm lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimerId(libc::timer_t);

// SAFETY: a timer belongs to the process, and any thread may set it (timer_create(2)); the pointer is a number, never followed by us.
unsafe impl Send for TimerId {}

impl TimerId {
    /// Sounds from now on, until the alarm is dropped.
    #[cfg(feature = "tokio")]
    pub(super) fn sound_now(self) {
        let _ = self.sound_in(Duration::ZERO); // fails only for a timer that there is not
    }

    fn sound_in(self, left: Duration) -> io::Result<()> {
        let schedule = libc::itimerspec {
            it_interval: timespec(REPEAT),
            it_value: timespec(left.max(Duration::from_nanos(1))),
        };
        // SAFETY: the timer was not deleted yet, and `schedule` is valid for the call.
        check(unsafe { libc::timer_settime(self.0, 0, &schedule, ptr::null_mut()) })
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // A signal that is already on its way is handled before these calls return: after them none can come.
        // SAFETY: the timer is ours and is not used again; the mask is the one that pthread_sigmask gave us.
        unsafe {
            libc::timer_delete(self.timer.0);
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.previous_mask, ptr::null_mut());
        }
    }
}

extern "C" fn wake(_signal: libc::c_int) {}

/// The signal that is ours in this process: the one chosen before, if its handler still is, else one that nobody handles.
fn claim_signal() -> io::Result<libc::c_int> {
    static CLAIMED: AtomicI32 = AtomicI32::new(0);
    let claimed = CLAIMED.load(Ordering::Acquire);
    if claimed != 0 && handler_of(claimed)? == wake as *const () as libc::sighandler_t {
        return Ok(claimed);
    }
    // From the top, as programs count upwards from SIGRTMIN; the very last is left to valgrind.
    for signal in (libc::SIGRTMIN()..libc::SIGRTMAX()).rev() {
        if handler_of(signal)? == libc::SIG_DFL {
            // SAFETY: all zeroes is a valid sigaction; the handler does nothing and so is async-signal-safe.
            unsafe {
                let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
                action.sa_sigaction = wake as *const () as libc::sighandler_t;
                action.sa_flags = libc::SA_ONSTACK;
                check(libc::sigaction(signal, &action, ptr::null_mut()))?;
            }
            CLAIMED.store(signal, Ordering::Release);
            return Ok(signal);
        }
    }
    Err(io::Error::other(
        "a timed wait needs a real-time signal, and this process handles all of them",
    ))
}

fn handler_of(signal: libc::c_int) -> io::Result<libc::sighandler_t> {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: with a null new action the call only writes the current one.
    unsafe {
        check(libc::sigaction(signal, ptr::null(), action.as_mut_ptr()))?;
        Ok(action.assume_init().sa_sigaction)
    }
}

/// Lets `signal` through to this thread and answers with the mask of before.
fn unblock(signal: libc::c_int) -> libc::sigset_t {
    let mut ours = MaybeUninit::<libc::sigset_t>::zeroed();
    let mut previous = MaybeUninit::<libc::sigset_t>::zeroed();
    // SAFETY: both sets are valid for the calls, which initialise them; they cannot fail for a valid signal.
    unsafe {
        libc::sigemptyset(ours.as_mut_ptr());
        libc::sigaddset(ours.as_mut_ptr(), signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, ours.as_ptr(), previous.as_mut_ptr());
        previous.assume_init()
    }
}

fn timespec(duration: Duration) -> libc::timespec {
    libc::timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

fn check(status: libc::c_int) -> io::Result<()> {
    if status == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocking_call_is_interrupted_at_the_deadline_and_no_signal_is_left() {
        let deadline = Instant::now() + Duration::from_millis(20);
        let alarm = Alarm::at(deadline).unwrap();
        // SAFETY: pause(2) takes no arguments.
        let interrupted = unsafe { libc::pause() };
        assert_eq!(
            (interrupted, io::Error::last_os_error().kind()),
            (-1, io::ErrorKind::Interrupted)
        );
        assert!(Instant::now() >= deadline);
        drop(alarm);
        let mut pending = MaybeUninit::<libc::sigset_t>::zeroed();
        // SAFETY: `pending` is valid for the call, which initialises it.
        let pending = unsafe {
            libc::sigpending(pending.as_mut_ptr());
            pending.assume_init()
        };
        let signal = claim_signal().unwrap();
        // SAFETY: `pending` is initialised.
        assert_eq!(unsafe { libc::sigismember(&pending, signal) }, 0);
    }

    #[test]
    fn an_alarm_in_the_past_still_sounds() {
        let _alarm = Alarm::at(Instant::now()).unwrap();
        // SAFETY: pause(2) takes no arguments.
        assert_eq!(unsafe { libc::pause() }, -1);
    }
}

//! An alarm that interrupts the calling thread's blocking system call at a deadline.
//!
//! The kernel can wait for a file lock but knows no deadline for it. So a thread of ours sends the waiting thread, and no other, a
//! real-time signal whose handler does nothing; installed without `SA_RESTART`, it makes fcntl(2) return `EINTR`. The signal is sent
//! again every [`REPEAT`], because one that arrives just before the system call would otherwise be lost.
//!
//! Signals belong to the program, which may use any of them at any moment. A timer of the kernel (timer_create(2)) would send its
//! signal whatever had become of it since; the thread looks first. See [`signals`](super::signals).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::signals::{self, Choice, Lent};
use crate::alarms::{self, AlarmThread};

/// How often the alarm sounds again after its deadline.
const REPEAT: Duration = Duration::from_micros(200);

/// Not the thread that calls subscribers: they may take long.
static THREAD: AlarmThread = AlarmThread::new("lock-timer");

/// A time limit could not be put on a wait.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TimerUnavailable {
    #[error(
        "a real-time signal has to end the wait, and this process handles, ignores or waits for all of them itself; leave one of \
         SIGRTMIN to SIGRTMAX-1 alone"
    )]
    NoSignal,
    #[error(
        "a thread has to end the wait, and none can be started ({0}); check the limits on threads and memory of this process"
    )]
    NoThread(io::Error),
}

impl From<TimerUnavailable> for io::Error {
    fn from(error: TimerUnavailable) -> Self {
        io::Error::other(error)
    }
}

/// Interrupts this thread from the deadline on, until it is dropped.
#[derive(Debug)]
pub(super) struct Alarm {
    alarm: Option<alarms::Alarm>,
    _lent: Option<Lent>,
}

impl Alarm {
    /// One that sounds at the deadline.
    pub(super) fn at(deadline: Instant) -> Result<Self, TimerUnavailable> {
        Alarm::after(deadline.saturating_duration_since(Instant::now()))
    }

    /// One that sounds when somebody makes it: [`Bell::sound_now`].
    pub(super) fn silent() -> Result<Self, TimerUnavailable> {
        Alarm::after(Duration::MAX)
    }

    fn after(left: Duration) -> Result<Self, TimerUnavailable> {
        let choice = Arc::new(Choice::default());
        let waiter = Waiter {
            // SAFETY: gettid(2) cannot fail.
            thread: unsafe { libc::gettid() },
            choice: Arc::clone(&choice),
        };
        let (alarm, started) = THREAD.call_after(left, move |elapsed, _| {
            waiter.interrupt();
            Some(elapsed + REPEAT)
        });
        let mut alarm = Alarm {
            alarm: Some(alarm.awaited()),
            _lent: None,
        };
        started.map_err(TimerUnavailable::NoThread)?;
        // After the thread was started: it must not inherit a mask that lets lent signals through.
        alarm._lent = signals::for_this_thread(choice).ok_or(TimerUnavailable::NoSignal)?;
        Ok(alarm)
    }

    /// For others to sound it with, as long as it lives.
    pub(super) fn bell(&self) -> Option<Bell> {
        self.alarm
            .as_ref()
            .and_then(alarms::Alarm::handle)
            .map(Bell)
    }
}

/// Another thread's way to an alarm.
#[derive(Clone, Debug)]
pub(super) struct Bell(#[cfg_attr(not(feature = "tokio"), expect(dead_code))] alarms::Handle);

#[cfg(feature = "tokio")]
impl Bell {
    /// Sounds from now on, until the alarm is dropped.
    pub(super) fn sound_now(&self) {
        self.0.hurry();
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        drop(self.alarm.take()); // waits for a signal that is being sent
        // SAFETY: takes no arguments. A signal that was sent is handled before this or any other system call returns: after it none
        // can come, and so none interrupts what the caller does next.
        unsafe { libc::syscall(libc::SYS_gettid) };
    }
}

/// A thread in a wait.
#[derive(Debug)]
struct Waiter {
    thread: libc::pid_t,
    /// The signals that reach it.
    choice: Arc<Choice>,
}

impl Waiter {
    /// Sends a signal whose handler, at this moment, interrupts and does nothing else. Without one the thread goes on waiting.
    fn interrupt(&self) {
        if let Some(signal) = signals::usable(self.choice.get()) {
            // SAFETY: plain numbers. The thread lives: it waits for this call before it leaves the wait.
            unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), self.thread, signal) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::MaybeUninit;
    use std::ptr;

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
        for signal in libc::SIGRTMIN()..=libc::SIGRTMAX() {
            // SAFETY: `pending` is initialised.
            assert_eq!(unsafe { libc::sigismember(&pending, signal) }, 0);
        }
    }

    #[test]
    fn an_alarm_in_the_past_still_sounds() {
        let _alarm = Alarm::at(Instant::now()).unwrap();
        // SAFETY: pause(2) takes no arguments.
        assert_eq!(unsafe { libc::pause() }, -1);
    }

    #[test]
    fn after_an_alarm_nothing_is_interrupted() {
        for _ in 0..300 {
            drop(Alarm::at(Instant::now()).unwrap());
            // SAFETY: waits for no descriptor.
            assert_eq!(unsafe { libc::poll(ptr::null_mut(), 0, 1) }, 0);
        }
    }
}

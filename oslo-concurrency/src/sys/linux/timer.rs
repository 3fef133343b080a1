//! An alarm that interrupts the calling thread's blocking system call at a deadline.
//!
//! The kernel can wait for a file lock, but not with a deadline. So the thread `lock-timer` sends
//! the waiting thread, and no other, a real-time signal whose handler does nothing; installed
//! without `SA_RESTART`, it makes fcntl(2) return `EINTR`. The signal is repeated every [`REPEAT`],
//! because one that arrives just before the system call would otherwise be lost.
//!
//! Signals belong to the program, which may start to use any of them at any moment. A timer of the
//! kernel (timer_create(2)) would send its signal all the same; `lock-timer` checks first. See
//! [`signals`](super::signals).

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::signals::{self, Choice, Unblocked};
use crate::alarms::{self, AlarmThread};
use crate::sys::unix;

/// Time between two signals after the deadline.
const REPEAT: Duration = Duration::from_micros(200);

/// A thread of its own: calls of subscribers, in the thread of the watchdog, may take long.
static THREAD: AlarmThread = AlarmThread::new("lock-timer", unix::spawn);

/// The resource without which a wait cannot be limited.
#[derive(Debug, thiserror::Error)]
pub(super) enum TimerUnavailable {
    #[error(
        "a real-time signal must end the wait, but this process handles, ignores or waits for all \
         of them; leave one of SIGRTMIN to SIGRTMAX-1 unused"
    )]
    NoSignal,
    #[error(
        "a thread must end the wait, but none can be started ({0}); check this process's limits \
         on threads and memory"
    )]
    NoThread(io::Error),
}

/// Interrupts this thread from the deadline on, until this is dropped.
#[derive(Debug)]
pub(super) struct Alarm {
    alarm: Option<alarms::Alarm>,
    _unblocked: Option<Unblocked>,
}

impl Alarm {
    /// An alarm that fires at the deadline.
    pub(super) fn at(deadline: Instant) -> Result<Self, TimerUnavailable> {
        Alarm::after(deadline.saturating_duration_since(Instant::now()))
    }

    /// An alarm that fires when [`Trigger::fire`] is called.
    pub(super) fn on_request() -> Result<Self, TimerUnavailable> {
        Alarm::after(Duration::MAX)
    }

    fn after(left: Duration) -> Result<Self, TimerUnavailable> {
        let choice = Arc::new(Choice::default());
        let waiter = Waiter {
            // SAFETY: gettid(2) takes no arguments and cannot fail.
            thread: unsafe { libc::gettid() },
            choice: Arc::clone(&choice),
        };
        let (alarm, started) = THREAD.call_after(left, move |elapsed, _| {
            waiter.interrupt();
            Some(elapsed + REPEAT)
        });
        let mut alarm = Alarm {
            alarm: Some(alarm.awaited()),
            _unblocked: None,
        };
        started.map_err(TimerUnavailable::NoThread)?;
        // After the thread was started: it must not inherit a mask with unblocked signals.
        alarm._unblocked = signals::for_this_thread(choice).ok_or(TimerUnavailable::NoSignal)?;
        Ok(alarm)
    }

    /// The means for another thread to fire the alarm while it lives.
    pub(super) fn trigger(&self) -> Option<Trigger> {
        self.alarm
            .as_ref()
            .and_then(alarms::Alarm::handle)
            .map(Trigger)
    }
}

/// Fires an alarm from another thread.
#[derive(Clone, Debug)]
pub(super) struct Trigger(#[cfg_attr(not(feature = "tokio"), expect(dead_code))] alarms::Handle);

#[cfg(feature = "tokio")]
impl Trigger {
    /// Makes the alarm interrupt from now on, until it is dropped.
    pub(super) fn fire(&self) {
        self.0.call_now();
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        drop(self.alarm.take()); // waits for a signal that is being sent
        // SAFETY: takes no arguments. A signal that was sent is handled before this or any other
        // system call returns, so none interrupts what the caller does next.
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
    /// Sends a signal whose handler, at this moment, does nothing but interrupt. If there is none,
    /// the thread continues to wait.
    fn interrupt(&self) {
        if let Some(signal) = signals::usable(self.choice.get()) {
            // SAFETY: plain numbers. The thread lives: it waits for this call before it leaves the
            // wait.
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
    fn an_alarm_in_the_past_still_fires() {
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

//! The kernel's side of an external lock: open-file-description locks on the whole file.
//!
//! `F_OFD_SETLK` (Linux 3.15, fcntl(2) "Open file description locks") conflicts with the POSIX record locks that
//! Python's fasteners takes, and lacks their traps: closing another descriptor of the file does not free it, and
//! threads exclude each other.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::Cancel;
use super::timer::Alarm;
use crate::fork::{self, ProcessFd};
use crate::wait::{Missed, Patience, Wait};

/// Whether the lock is taken for one or for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nobody else may hold it.
    Exclusive,
    /// Others may hold it shared.
    Shared,
}

impl Mode {
    fn request(self) -> libc::flock {
        whole_file(match self {
            Mode::Exclusive => libc::F_WRLCK,
            Mode::Shared => libc::F_RDLCK,
        })
    }
}

fn whole_file(kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Takes the lock if nobody is in the way.
pub(crate) fn try_lock(fd: &ProcessFd, mode: Mode) -> io::Result<bool> {
    loop {
        return match fcntl(fd, FcntlArg::F_OFD_SETLK(&mode.request())) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(Errno::EINTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Waits for the lock in the kernel. `Wait::Never` is for [`try_lock`].
///
/// # Errors
/// [`TimerUnavailable`](super::TimerUnavailable) inside if the wait cannot be limited; everything else comes from fcntl(2).
pub(crate) fn wait_for_lock(
    fd: &ProcessFd,
    mode: Mode,
    wait: Wait,
    patience: &mut Patience<'_>,
) -> io::Result<Result<(), Missed>> {
    loop {
        let cancel = patience.cancel();
        let limit = patience.limit(wait);
        // The alarm is off before anything is said: it would interrupt the system calls of the subscriber.
        if wait_once(fd, mode, wait, limit, cancel)? {
            return Ok(Ok(()));
        }
        if patience.is_over(wait) {
            return Ok(Err(Missed::TimedOut));
        }
    }
}

/// Waits until `limit`, which is `wait` or earlier, until cancelled, or until a signal comes. `true` if the lock came.
fn wait_once(
    fd: &ProcessFd,
    mode: Mode,
    wait: Wait,
    limit: Wait,
    cancel: Option<&Cancel>,
) -> io::Result<bool> {
    let alarm = match (limit, cancel) {
        (Wait::Until(limit), _) => Some(Alarm::at(limit)),
        (_, Some(_)) => Some(Alarm::silent()),
        (_, None) => None,
    };
    let alarm = match alarm.transpose() {
        // Only to say that it lasts long: then it lasts long in silence.
        Err(_) if wait == Wait::Forever && cancel.is_none() => None,
        alarm => alarm?,
    };
    let _attached = cancel
        .zip(alarm.as_ref())
        .map(|(cancel, alarm)| cancel.interrupts(alarm));
    let is_past = |limit| matches!(limit, Wait::Until(limit) if Instant::now() >= limit);
    if alarm.is_some() && is_past(limit) || cancel.is_some_and(Cancel::is_cancelled) {
        return Ok(false);
    }
    match fcntl(fd, FcntlArg::F_OFD_SETLKW(&mode.request())) {
        Ok(_) => Ok(true),
        // Perhaps not by the alarm: the caller looks whether the time is over, and sets another one.
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Frees the lock. An error here means that the descriptor is no longer ours, and with it the lock is gone as well.
pub(crate) fn unlock(fd: &ProcessFd) {
    let outcome = fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
    if let Err(error) = outcome
        && fork::may_log()
    {
        tracing::warn!(fd = fd.as_raw_fd(), %error, "the lock could not be freed");
    }
}

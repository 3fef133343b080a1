//! The kernel's locks: open-file-description locks on the whole file.
//!
//! `F_OFD_SETLK` (Linux 3.15, fcntl(2) "Open file description locks") conflicts with the POSIX
//! record locks that Python's fasteners takes, and lacks their traps: closing another descriptor of
//! the file does not free it, and threads exclude each other.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};

use super::cancel::Cancel;
use super::timer::Alarm;
use crate::fork;
use crate::sys::types::{Mode, WaitError};
use crate::sys::unix::ProcessFd;

fn request(mode: Mode) -> libc::flock {
    whole_file(match mode {
        Mode::Exclusive => libc::F_WRLCK,
        Mode::Shared => libc::F_RDLCK,
    })
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

/// Acquires the lock if no other lock conflicts with it.
pub(super) fn try_lock(fd: &ProcessFd, mode: Mode) -> io::Result<bool> {
    loop {
        return match fcntl(fd, FcntlArg::F_OFD_SETLK(&request(mode))) {
            Ok(_) => Ok(true),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
            Err(Errno::EINTR) => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Waits until the lock is acquired, `until` has passed, `cancel` is cancelled, or a signal
/// arrives. Returns `true` if the lock was acquired.
pub(super) fn wait(
    fd: &ProcessFd,
    mode: Mode,
    until: Option<Instant>,
    cancel: Option<&Cancel>,
) -> Result<bool, WaitError> {
    let alarm = match (until, cancel) {
        (Some(until), _) => Some(Alarm::at(until)),
        (None, Some(_)) => Some(Alarm::on_request()),
        (None, None) => None,
    };
    let alarm = alarm
        .transpose()
        .map_err(|error| WaitError::NoTimer(error.to_string()))?;
    let _attached = cancel
        .zip(alarm.as_ref())
        .map(|(cancel, alarm)| cancel.attach(alarm));
    if until.is_some_and(|until| Instant::now() >= until)
        || cancel.is_some_and(Cancel::is_cancelled)
    {
        return Ok(false);
    }
    match fcntl(fd, FcntlArg::F_OFD_SETLKW(&request(mode))) {
        Ok(_) => Ok(true),
        // Possibly a signal of the program's own: the caller checks the clock and waits again.
        Err(Errno::EINTR) => Ok(false),
        Err(error) => Err(WaitError::Refused(error.into())),
    }
}

/// Releases the lock. An error means that the program has closed the descriptor, and the lock with
/// it.
pub(super) fn unlock(fd: &ProcessFd) {
    let outcome = fcntl(fd, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_UNLCK)));
    if let Err(error) = outcome {
        if fork::may_log() {
            tracing::warn!(fd = fd.as_raw_fd(), %error, "the lock could not be freed");
        }
    }
}

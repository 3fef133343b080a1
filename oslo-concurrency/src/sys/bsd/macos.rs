//! The locks of macOS: open-file-description locks on the whole file (XNU, bsd/sys/fcntl.h).
//!
//! They conflict with the record locks that Python's fasteners takes, and lack their traps, as on
//! Linux. A wait has a deadline of its own, `F_OFD_SETLKWTIMEOUT`, which begins again whenever the
//! lock changes hands (bsd/kern/kern_lockf.c, `lf_setlock`). Waits are therefore cut into short
//! parts: only a lock that changes hands more often than each [`PART`] can make one return late.

use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use super::cancel::Cancel;
use crate::sys::types::Mode;
use crate::sys::unix::ProcessFd;

/// Not in crate `libc`. Takes a [`RequestWithTimeout`].
const F_OFD_SETLKWTIMEOUT: libc::c_int = 93;

/// The longest part of a wait that has a deadline or can be cancelled.
const PART: Duration = Duration::from_millis(10);
/// The shortest part. A timeout of zero means forever.
const SHORTEST_PART: Duration = Duration::from_micros(50);

/// `struct flocktimeout`.
#[repr(C)]
struct RequestWithTimeout {
    request: libc::flock,
    timeout: libc::timespec,
}

fn request(mode: Mode) -> libc::flock {
    whole_file(match mode {
        Mode::Exclusive => libc::F_WRLCK,
        Mode::Shared => libc::F_RDLCK,
    })
}

fn whole_file(kind: libc::c_short) -> libc::flock {
    libc::flock {
        l_start: 0,
        l_len: 0,
        l_pid: 0,
        l_type: kind,
        l_whence: libc::SEEK_SET as libc::c_short,
    }
}

/// Calls fcntl(2) with a command that takes a `T`.
fn fcntl<T>(fd: &ProcessFd, command: libc::c_int, argument: &T) -> io::Result<()> {
    let argument: *const T = argument;
    // SAFETY: the descriptor is open while it is borrowed. The commands below read a value of the
    // type that they are given, and keep no pointer to it.
    if unsafe { libc::fcntl(fd.as_raw_fd(), command, argument) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Acquires the lock if no other lock conflicts with it.
pub(super) fn try_lock(fd: &ProcessFd, mode: Mode) -> io::Result<bool> {
    loop {
        return match fcntl(fd, libc::F_OFD_SETLK, &request(mode)) {
            Ok(()) => Ok(true),
            Err(error) => match error.raw_os_error() {
                Some(libc::EAGAIN | libc::EACCES) => Ok(false),
                Some(libc::EINTR) => continue,
                _ => Err(error),
            },
        };
    }
}

/// Waits until the lock is acquired, `until` or a part of the wait has passed, `cancel` is
/// cancelled, or a signal arrives. Returns `true` if the lock was acquired.
pub(super) fn wait(
    fd: &ProcessFd,
    mode: Mode,
    until: Option<Instant>,
    cancel: Option<&Cancel>,
) -> io::Result<bool> {
    let request = request(mode);
    let outcome = if until.is_none() && cancel.is_none() {
        fcntl(fd, libc::F_OFD_SETLKW, &request)
    } else {
        let now = Instant::now();
        if until.is_some_and(|until| now >= until) || cancel.is_some_and(Cancel::is_cancelled) {
            return Ok(false);
        }
        let left = until.map_or(PART, |until| until.saturating_duration_since(now));
        let part = left.clamp(SHORTEST_PART, PART);
        let timeout = libc::timespec {
            tv_sec: 0,
            tv_nsec: part.subsec_nanos().into(),
        };
        fcntl(
            fd,
            F_OFD_SETLKWTIMEOUT,
            &RequestWithTimeout { request, timeout },
        )
    };
    match outcome {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error() {
            // The caller looks at the clock and waits again.
            Some(libc::ETIMEDOUT | libc::EINTR) => Ok(false),
            _ => Err(error),
        },
    }
}

/// Releases the lock, if it is held.
pub(super) fn unlock(fd: &ProcessFd) -> io::Result<()> {
    fcntl(fd, libc::F_OFD_SETLK, &whole_file(libc::F_UNLCK))
}

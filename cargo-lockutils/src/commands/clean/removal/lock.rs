//! The lock that conflicts with all that lock such a file.

use std::fs::File;
use std::io;

#[cfg(not(target_os = "freebsd"))]
use nix::errno::Errno;
#[cfg(not(target_os = "freebsd"))]
use nix::fcntl::{FcntlArg, fcntl};
#[cfg(not(target_os = "freebsd"))]
use nix::libc;

/// Acquires it without waiting.
#[cfg(not(target_os = "freebsd"))]
pub fn lock(file: &File) -> io::Result<bool> {
    let request = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    match fcntl(file, FcntlArg::F_OFD_SETLK(&request)) {
        Ok(_) => Ok(true),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Acquires it without waiting. On FreeBSD it is that of flock(2), which conflicts with record
/// locks there.
#[cfg(target_os = "freebsd")]
pub fn lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

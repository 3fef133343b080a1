//! Setting limits, in the child.

use std::io;

use super::system;
use crate::processutils::sys::types::Limits;

/// Sets the limits in the calling process. Async-signal-safe: nothing but `setrlimit` is called.
/// The error comes with the limit's number.
pub(super) fn apply(limits: &Limits) -> Result<(), (usize, io::Error)> {
    for (number, value) in limits.iter().copied().enumerate() {
        if let Some(value) = value {
            set(number, value).map_err(|error| (number, error))?;
        }
    }
    Ok(())
}

/// The numbers are those of [`Limits`].
fn set(number: usize, value: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: system::limit(value),
        rlim_max: system::limit(value),
    };
    // The type of a resource differs between C libraries.
    // SAFETY: the structure lives during the call.
    let done = unsafe {
        match number {
            0 => libc::setrlimit(libc::RLIMIT_AS, &limit),
            1 => libc::setrlimit(libc::RLIMIT_CORE, &limit),
            2 => libc::setrlimit(libc::RLIMIT_CPU, &limit),
            3 => libc::setrlimit(libc::RLIMIT_DATA, &limit),
            4 => libc::setrlimit(libc::RLIMIT_FSIZE, &limit),
            5 => libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit),
            6 => libc::setrlimit(libc::RLIMIT_NOFILE, &limit),
            7 => libc::setrlimit(libc::RLIMIT_NPROC, &limit),
            8 => libc::setrlimit(libc::RLIMIT_RSS, &limit),
            _ => libc::setrlimit(libc::RLIMIT_STACK, &limit),
        }
    };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

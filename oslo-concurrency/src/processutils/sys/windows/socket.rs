//! The socket of an SSH session.

use std::io;
use std::os::windows::io::AsRawSocket;
use std::time::Instant;

use ssh2::Session;
use windows_sys::Win32::Networking::WinSock::{
    POLLRDNORM, POLLWRNORM, SD_BOTH, SOCKET, SOCKET_ERROR, WSAPOLLFD, WSAPoll, shutdown,
};

use crate::processutils::sys::types::WaitFailure;

/// Waits until the socket can be read or written.
pub(crate) fn wait(
    session: &Session,
    read: bool,
    write: bool,
    deadline: Option<Instant>,
) -> Result<(), WaitFailure> {
    let events = if read { POLLRDNORM } else { 0 } | if write { POLLWRNORM } else { 0 };
    let mut socket = WSAPOLLFD {
        fd: session.as_raw_socket() as SOCKET,
        events,
        revents: 0,
    };
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let milliseconds = left.map_or(-1, |left| {
            i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        });
        // SAFETY: one structure, which lives during the call; the session keeps its socket.
        match unsafe { WSAPoll(&mut socket, 1, milliseconds) } {
            SOCKET_ERROR => {
                return Err(WaitFailure::Io(
                    "waiting for it",
                    io::Error::last_os_error(),
                ));
            }
            0 if left.is_some_and(|left| left.is_zero()) => return Err(WaitFailure::TimedOut),
            0 => {}
            _ => return Ok(()),
        }
    }
}

/// Ends the connection; the socket remains the session's.
pub(crate) fn shut_down(session: &Session) {
    // SAFETY: the session keeps its socket.
    unsafe { shutdown(session.as_raw_socket() as SOCKET, SD_BOTH) };
}

//! The socket of an SSH session.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags};
use ssh2::Session;

use super::poll::wait_for;
use crate::processutils::sys::types::WaitFailure;

fn of(session: &Session) -> BorrowedFd<'_> {
    // SAFETY: an authenticated session has a socket, which stays open as long as the session
    // exists.
    unsafe { BorrowedFd::borrow_raw(session.as_raw_fd()) }
}

/// Waits until the socket can be read or written.
pub(crate) fn wait(
    session: &Session,
    read: bool,
    write: bool,
    deadline: Option<Instant>,
) -> Result<(), WaitFailure> {
    let mut events = PollFlags::empty();
    events.set(PollFlags::POLLIN, read);
    events.set(PollFlags::POLLOUT, write);
    wait_for(&mut [PollFd::new(of(session), events)], deadline)
}

/// Ends the connection; the descriptor remains the session's.
pub(crate) fn shut_down(session: &Session) {
    // SAFETY: the descriptor is open.
    unsafe { libc::shutdown(of(session).as_raw_fd(), libc::SHUT_RDWR) };
}

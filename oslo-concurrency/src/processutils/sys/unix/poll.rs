//! Waiting for descriptors, with a deadline.

use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollTimeout, poll};

use crate::processutils::sys::types::WaitFailure;

/// Waits until one of them is ready.
pub(super) fn wait_for(
    fds: &mut [PollFd<'_>],
    deadline: Option<Instant>,
) -> Result<(), WaitFailure> {
    loop {
        let timeout =
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => PollTimeout::NONE,
                Some(Duration::ZERO) => return Err(WaitFailure::TimedOut),
                Some(left) => PollTimeout::try_from(left.as_micros().div_ceil(1000))
                    .unwrap_or(PollTimeout::MAX),
            };
        match poll(fds, timeout) {
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return Ok(()),
            Err(errno) => return Err(WaitFailure::Io("waiting for it", errno.into())),
        }
    }
}

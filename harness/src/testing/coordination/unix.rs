//! Signals and forked children.

use std::process::Child;

use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, alarm, fork};

use crate::sys;

/// Time after which a forked child that hangs is killed.
const LONGEST: u32 = 20;

/// Stops a child process in the middle of what it does.
pub(super) fn pause(child: &Child) {
    // A child that has ended is found by the next question to it.
    let _ = signal::kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGSTOP);
}

/// Lets a child process go on.
pub(super) fn resume(child: &Child) {
    let _ = signal::kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGCONT);
}

/// Runs `body` in a forked child. Returns its result, or the way in which the child ended.
pub(super) fn in_forked_child(body: impl FnOnce() -> u8) -> Result<u8, String> {
    // SAFETY: other threads may hold locks of the allocator, which glibc resets in the child; what
    // else the child finds locked is the subject of the trial, and its alarm ends it.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            alarm::set(LONGEST);
            sys::exit_now(i32::from(body()))
        }
        Ok(ForkResult::Parent { child }) => match waitpid(child, None) {
            Ok(WaitStatus::Exited(_, status)) => Ok(u8::try_from(status).unwrap_or(u8::MAX)),
            Ok(other) => Err(format!("the child ended with {other:?}")),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Err(error.to_string()),
    }
}

//! A command that is run to its end, with the mark on it, and what it leaves behind.
//!
//! The command and its descendants form a process group on Unix, a job object on Windows. The
//! terminal belongs to them, interrupts of this process are passed on to them, and none of them
//! outlives the run but those that left the group on purpose, as daemons do.

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod bsd;
#[cfg(windows)]
mod job;
#[cfg(target_os = "linux")]
mod linux;
mod not_started;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::process::Command;

use anyhow::Result;

use crate::guardian::Guardian;
use crate::run_mark::RunMark;
use crate::sys::Status;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

/// A command that has ended. Processes that it started may still live.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status; on Unix as a shell gives it, 128 + N after signal N.
    pub status: Status,
    left: platform::Left,
}

/// Runs `command` to its end, with the mark on it. The exit status is 127 if it was not found and
/// 126 if it cannot be executed.
pub fn run(command: Command, mark: &RunMark, guardian: Option<&Guardian>) -> Result<Ended> {
    let (status, left) = platform::run(command, mark, guardian)?;
    Ok(Ended { status, left })
}

impl Ended {
    /// Returns `true` if nothing that the command started lives.
    pub fn left_nothing(&self) -> bool {
        self.left.is_nothing()
    }

    /// Ends what is left of the command, so that nothing uses its lock path any more.
    pub fn end_what_is_left(&self) {
        self.left.end();
    }
}

/// The exit status of a run that is interrupted, if it is: nothing more is to be started.
pub fn interrupted() -> Option<Status> {
    platform::interrupted()
}

//! The operating system: how a command is started, fed, watched and ended.
//!
//! Each item states what it guarantees on every system. The platform is a folder beside this file
//! with items of the same names.

mod types;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io;
use std::time::Instant;

pub(super) use types::{Asked, Limits, Plan, Preexec, Step, WaitFailure, Written};
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

/// A value of a limit that lifts it.
pub(super) const UNLIMITED: u64 = platform::UNLIMITED;

/// A command that was started, and is never left behind: killed and waited for when this is
/// dropped, unless that has happened.
pub(super) struct Running(platform::Running);

impl Running {
    /// Starts the command, with a pipe on each of its standard streams.
    ///
    /// # Errors
    /// The step that failed. Nothing runs then.
    pub(super) fn start(plan: &Plan) -> Result<Self, (Step, io::Error)> {
        platform::Running::start(plan).map(Running)
    }

    /// The handle of the process.
    pub(super) fn handle(&self) -> Handle {
        Handle(self.0.handle().clone())
    }

    /// Writes `input` and reads both outputs until they are closed and the process has ended.
    /// Returns its exit code; -n if signal n ended it.
    ///
    /// Output that was read before an error is in `written`. Called once.
    pub(super) fn communicate(
        &mut self,
        input: &[u8],
        deadline: Option<Instant>,
        written: &mut Written,
    ) -> Result<i32, WaitFailure> {
        self.0.communicate(input, deadline, written)
    }

    /// Kills and waits for the process, unless it was waited for: everything that it has started,
    /// if the plan has a group of its own. Returns the reason if it is left running.
    pub(super) fn stop(&mut self) -> Option<&'static str> {
        self.0.stop()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A process, which may have ended: no later process of the same id is meant by it.
#[derive(Clone, Debug)]
pub(super) struct Handle(platform::Handle);

impl Handle {
    pub(super) fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Sends a signal, where there are signals.
    pub(super) fn signal(&self, signal: i32) -> io::Result<()> {
        self.0.signal(signal)
    }

    /// The descriptor that can be read once the process has ended.
    #[cfg(target_os = "linux")]
    pub(super) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.ended()
    }
}

/// An option that was given and that the system lacks, and what to do without it.
pub(super) fn unavailable(asked: &Asked<'_>) -> Option<(&'static str, &'static str)> {
    platform::unavailable(asked)
}

/// Returns `true` if this process is root, where there is root.
pub(super) fn is_root() -> bool {
    platform::is_root()
}

/// The name of a signal, such as `SIGTERM`.
pub(super) fn signal_name(signal: i32) -> Option<&'static str> {
    platform::signal_name(signal)
}

/// The number of a signal, by a name such as `SIGTERM`.
#[cfg(feature = "ssh")]
pub(super) fn signal_number(name: &str) -> Option<i32> {
    platform::signal_number(name)
}

#[cfg(feature = "ssh")]
pub(super) use platform::socket;

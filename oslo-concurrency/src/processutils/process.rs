//! A running command, for callers that watch or stop it from elsewhere.

use std::io;

use super::sys::Handle;

/// A command that [`execute`](super::execute) has started. The handle can be kept, sent to other
/// threads, and used after the command has ended: a signal never reaches another process that has
/// got the same id later.
#[derive(Clone, Debug)]
pub struct Process(Handle);

impl Process {
    pub(super) fn new(handle: Handle) -> Self {
        Process(handle)
    }

    /// The process id of the command, or of the helper that runs it.
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Sends the signal with this number to the process.
    ///
    /// Windows has no signals: there 9 (SIGKILL) and 15 (SIGTERM) end the process with exit code 1,
    /// and 0 tells whether it is running.
    ///
    /// # Errors
    /// As kill(2): `ESRCH` if it has ended and its exit code has been read, `EPERM` if it runs as
    /// another user. On Windows `Unsupported` for other signals.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        self.0.signal(signal)
    }
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsFd for Process {
    /// The pidfd: poll(2) says that it can be read once the process has ended. Linux only.
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

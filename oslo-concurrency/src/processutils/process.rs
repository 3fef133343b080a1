//! A running command, for callers that watch or stop it from elsewhere.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::sync::Arc;

/// A command that [`execute`](super::execute) has started. The handle can be kept, sent to other
/// threads, and used after the command has ended: a signal never reaches another process that has
/// got the same id later.
#[derive(Clone, Debug)]
pub struct Process {
    pid: u32,
    leads_group: bool,
    pidfd: Arc<OwnedFd>,
}

impl Process {
    /// The handle of the child `pid`, which either has not been waited for or has sent its `pidfd`.
    pub(super) fn of_child(
        pid: u32,
        leads_group: bool,
        pidfd: Option<OwnedFd>,
    ) -> io::Result<Self> {
        let pidfd = match pidfd {
            Some(pidfd) => pidfd,
            None => Self::open(pid)?,
        };
        Ok(Process {
            pid,
            leads_group,
            pidfd: Arc::new(pidfd),
        })
    }

    fn open(pid: u32) -> io::Result<OwnedFd> {
        // SAFETY: the call takes plain numbers; the result is a new close-on-exec descriptor.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        let fd = i32::try_from(fd).map_err(io::Error::other)?;
        // SAFETY: the kernel has just made this descriptor, and no other code knows it.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    /// The process id of the command, or of the helper that runs it.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends the signal with this number to the process.
    ///
    /// # Errors
    /// The errors of kill(2): `ESRCH` if it has ended and its exit code has been read, `EPERM` if
    /// it runs as another user.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        self.send(signal, 0)
    }

    fn send(&self, signal: i32, flags: libc::c_uint) -> io::Result<()> {
        let no_info = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: the descriptor is open as long as `self` exists, and no signal information is
        // passed.
        let done = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.pidfd.as_raw_fd(),
                signal,
                no_info,
                flags,
            )
        };
        match done {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// Kills the process, and its process group if it has one of its own, as commands with a
    /// timeout do. Must be called before the process has been waited for: until then it owns its
    /// number.
    pub(super) fn kill_all(&self) -> io::Result<()> {
        /// Linux 6.9. Exact even if the process was reaped: the signal cannot reach a later group
        /// with the same number.
        const PIDFD_SIGNAL_PROCESS_GROUP: libc::c_uint = 1 << 2;
        if self.leads_group {
            let _ = self.send(libc::SIGKILL, PIDFD_SIGNAL_PROCESS_GROUP);
        }
        let killed = self.signal(libc::SIGKILL);
        let is_there = !matches!(&killed, Err(error) if error.raw_os_error() == Some(libc::ESRCH));
        if self.leads_group && is_there {
            // SAFETY: plain numbers. The group has the number of its leader, which is valid until
            // the leader is waited for.
            unsafe { libc::kill(-(self.pid as libc::pid_t), libc::SIGKILL) };
        }
        killed
    }
}

impl AsFd for Process {
    /// The pidfd, which poll(2) reports as readable once the process has ended.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

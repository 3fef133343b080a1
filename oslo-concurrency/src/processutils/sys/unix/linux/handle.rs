//! A process by its pidfd, which means no other process, whatever becomes of its id.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ExitStatus};
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags};

use super::reaped;
use crate::processutils::sys::unix::poll::wait_for;

#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pid: u32,
    leads_group: bool,
    pidfd: Arc<OwnedFd>,
}

/// A pidfd that the child has sent, since it may be gone before one can be opened here.
pub(crate) type Early = OwnedFd;

/// The way of an early pidfd, which exists if the kernel reaps our children by itself.
pub(crate) struct EarlyPair(Option<(UnixDatagram, UnixDatagram)>);

/// The child's end of it.
#[derive(Clone, Copy)]
pub(crate) struct ChildSide(Option<RawFd>);

impl EarlyPair {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(EarlyPair(match reaped::sigchld_is_ignored() {
            true => Some(UnixDatagram::pair()?),
            false => None,
        }))
    }

    pub(crate) fn child_side(&self) -> ChildSide {
        ChildSide(self.0.as_ref().map(|(_, to)| to.as_raw_fd()))
    }

    /// The descriptor that the child has sent, once it has become the program.
    pub(crate) fn receive(self) -> Option<Early> {
        self.0.and_then(|(from, _)| reaped::receive_pidfd(&from))
    }
}

impl ChildSide {
    /// In the child: async-signal-safe.
    pub(crate) fn announce(self) {
        if let Some(to) = self.0 {
            reaped::send_own_pidfd(to);
        }
    }
}

impl Handle {
    /// The handle of our child `pid`, which has not been waited for, or has sent its pidfd.
    pub(crate) fn of_child(pid: u32, leads_group: bool, early: Option<Early>) -> io::Result<Self> {
        let pidfd = match early {
            Some(pidfd) => pidfd,
            None => open(pid)?,
        };
        Ok(Handle {
            pid,
            leads_group,
            pidfd: Arc::new(pidfd),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// poll(2) says that it can be read once the process has ended.
    pub(crate) fn ended(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
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
    pub(crate) fn kill_all(&self) -> io::Result<()> {
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

    /// Waits until the process has ended, without reaping it.
    pub(crate) fn await_end(&self) {
        let _ = wait_for(&mut [PollFd::new(self.ended(), PollFlags::POLLIN)], None);
    }

    /// Reaps the process, which has ended. Returns `None` if its exit code is lost.
    pub(crate) fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        match child.wait() {
            // The kernel, or another part of this process, has reaped the child.
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => {
                Ok(reaped::exit_status(self.ended()))
            }
            outcome => outcome.map(Some),
        }
    }
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

//! A process by its id, and a kqueue that reports its end.
//!
//! The id belongs to the process until we reap it. So a signal and the reaping exclude each other,
//! and a signal after the reaping is refused.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags};
use nix::sys::event::{EvFlags, EventFilter, FilterFlag, KEvent, Kqueue};

use crate::processutils::sys::unix::poll::wait_for;

#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pid: u32,
    leads_group: bool,
    /// Can be read once the process has ended.
    end: Arc<OwnedFd>,
    reaped: Arc<Mutex<bool>>,
}

/// No child needs to send anything ahead.
#[derive(Debug)]
pub(crate) struct Early;

pub(crate) struct EarlyPair;

#[derive(Clone, Copy)]
pub(crate) struct ChildSide;

impl EarlyPair {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(EarlyPair)
    }

    pub(crate) fn child_side(&self) -> ChildSide {
        ChildSide
    }

    pub(crate) fn receive(self) -> Option<Early> {
        None
    }
}

impl ChildSide {
    pub(crate) fn announce(self) {}
}

impl Handle {
    /// The handle of our child `pid`, which has not been waited for.
    pub(crate) fn of_child(pid: u32, leads_group: bool, _: Option<Early>) -> io::Result<Self> {
        let end = match end_of(pid) {
            Ok(kqueue) => kqueue,
            // It has ended already: macOS does not find it any more, whether it was reaped or not.
            Err(Errno::ESRCH) => UnixStream::pair()?.0.into(),
            Err(errno) => return Err(errno.into()),
        };
        Ok(Handle {
            pid,
            leads_group,
            end: Arc::new(end),
            reaped: Arc::default(),
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// poll(2) says that it can be read once the process has ended.
    pub(crate) fn ended(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }

    fn reaped(&self) -> MutexGuard<'_, bool> {
        self.reaped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn signal(&self, signal: i32) -> io::Result<()> {
        let reaped = self.reaped();
        match *reaped {
            true => Err(Errno::ESRCH.into()),
            false => kill(self.pid as libc::pid_t, signal),
        }
    }

    /// Kills the process, and everything in its process group if it has one of its own, as commands
    /// with a timeout have.
    pub(crate) fn kill_all(&self) -> io::Result<()> {
        let reaped = self.reaped();
        if *reaped {
            return Err(Errno::ESRCH.into());
        }
        let killed = kill(self.pid as libc::pid_t, libc::SIGKILL);
        if self.leads_group {
            // The group has the number of its leader, which is ours until the leader is reaped.
            let _ = kill(-(self.pid as libc::pid_t), libc::SIGKILL);
        }
        killed
    }

    /// Waits until the process has ended, without reaping it.
    pub(crate) fn await_end(&self) {
        let _ = wait_for(&mut [PollFd::new(self.ended(), PollFlags::POLLIN)], None);
    }

    /// Reaps the process, which has ended. Returns `None` if its exit code is lost.
    pub(crate) fn wait(&self, child: &mut Child) -> io::Result<Option<ExitStatus>> {
        let mut reaped = self.reaped();
        let outcome = child.wait();
        *reaped = true;
        match outcome {
            // The kernel, or another part of this process, has reaped the child.
            Err(error) if error.raw_os_error() == Some(libc::ECHILD) => Ok(None),
            outcome => outcome.map(Some),
        }
    }
}

fn kill(pid: libc::pid_t, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A kqueue that can be read once the process has ended.
fn end_of(pid: u32) -> nix::Result<OwnedFd> {
    let kqueue = Kqueue::new()?;
    let exit = KEvent::new(
        pid as usize,
        EventFilter::EVFILT_PROC,
        EvFlags::EV_ADD | EvFlags::EV_CLEAR,
        FilterFlag::NOTE_EXIT,
        0,
        0,
    );
    // No child inherits a kqueue by fork; a program that replaces this one would.
    fcntl(&kqueue, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    kqueue.kevent(&[exit], &mut [], None)?;
    Ok(kqueue.into())
}

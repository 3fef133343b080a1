//! A child that is never left behind.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};

use super::communicate::communicate;
use super::poll::wait_for;
use super::system::{Early, Handle};
use crate::processutils::sys::types::{Plan, Step, WaitFailure, Written};
use crate::sys;

/// Maximum time for which SIGKILL may take effect. It takes longer only if the process is in an
/// uninterruptible sleep, for instance on a network file system whose server is gone.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

pub(crate) struct Running {
    /// `None` once it was waited for.
    child: Option<Child>,
    handle: Handle,
}

impl Running {
    pub(crate) fn start(plan: &Plan) -> Result<Self, (Step, io::Error)> {
        let (child, early) = super::child::start(plan)?;
        Self::of(child, plan.own_group, early).map_err(|error| (Step::Watch, error))
    }

    fn of(mut child: Child, leads_group: bool, early: Option<Early>) -> io::Result<Self> {
        match Handle::of_child(child.id(), leads_group, early) {
            Ok(handle) => Ok(Running {
                child: Some(child),
                handle,
            }),
            Err(error) => {
                if leads_group {
                    // SAFETY: plain numbers. The child has not been waited for, so its number still
                    // names its own process group.
                    unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
                }
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    pub(crate) fn communicate(
        &mut self,
        input: &[u8],
        deadline: Option<Instant>,
        written: &mut Written,
    ) -> Result<i32, WaitFailure> {
        let Some(child) = &mut self.child else {
            return Err(WaitFailure::Io(
                "waiting for it",
                io::ErrorKind::NotFound.into(),
            ));
        };
        let status = communicate(child, &self.handle, input, deadline, written)?;
        self.child = None;
        Ok(exit_code(status))
    }

    pub(crate) fn stop(&mut self) -> Option<&'static str> {
        let mut child = self.child.take()?;
        let left = match self.handle.kill_all() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("it runs as another user")
            }
            _ if self.ends_within(KILLED_WITHIN) => None,
            _ => Some("it was killed but does not end: it is in an uninterruptible system call"),
        };
        match left {
            None => drop(self.handle.wait(&mut child)),
            // It must be waited for whenever it ends. If no thread can be started, it stays a
            // zombie until this process ends.
            Some(_) => {
                let handle = self.handle.clone();
                drop(sys::spawn("reaper", move || {
                    handle.await_end();
                    drop(handle.wait(&mut child));
                }))
            }
        }
        left
    }

    fn ends_within(&self, time: Duration) -> bool {
        let deadline = Instant::now().checked_add(time);
        let mut ended = [PollFd::new(self.handle.ended(), PollFlags::POLLIN)];
        !matches!(wait_for(&mut ended, deadline), Err(WaitFailure::TimedOut))
    }
}

/// The exit code, or -n for signal n.
fn exit_code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => -signal,
        (None, None) => status.into_raw(),
    }
}

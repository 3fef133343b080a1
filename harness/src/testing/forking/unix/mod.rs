//! Worker processes by fork(2).

mod may_fork;
mod reexec;
#[cfg(feature = "proptest")]
mod whole_test;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};

use super::ended::Ended;
use crate::sys;
use crate::testing::witness::{Shape, Witness};

pub(crate) use may_fork::may_fork;
#[cfg(feature = "rstest")]
pub(crate) use reexec::is_executed_for_a_run;
pub(crate) use reexec::{Role, execute_again, leave, role};
#[cfg(feature = "proptest")]
pub(crate) use whole_test::{WholeTest, run as whole_test};

/// Runs `work` in a process that may fork, and returns the report of it. `work` returns the standard
/// error of its processes as far as it is not that of this one.
pub(crate) fn run<R>(
    shape: Shape,
    work: &dyn Fn(&Witness) -> io::Result<String>,
    report: &dyn Fn(&Witness, String) -> R,
) -> io::Result<R> {
    match role()? {
        Role::Forker(handle) => {
            work(&Witness::inherited(handle, shape)?)?;
            leave();
        }
        Role::LaterRun(handle, errors) => Ok(report(&Witness::inherited(handle, shape)?, errors)),
        Role::Test if may_fork() => {
            let witness = Witness::new(shape)?;
            let errors = work(&witness)?;
            Ok(report(&witness, errors))
        }
        Role::Test => {
            let witness = Witness::new(shape)?;
            let errors = execute_again(witness.handle())?;
            let report = report(&witness, errors);
            witness.keep_open(); // for the processes of later runs
            Ok(report)
        }
    }
}

/// The number of this worker process and the lock path of the run, if it was executed as one: a
/// forked worker was not.
pub(super) fn this_worker() -> Option<(usize, Option<PathBuf>)> {
    None
}

/// Serves [`Team::ask`] in a process executed for that; there is none.
pub(super) fn serve_questions(_witness: &Witness, _try_lock: Option<&(dyn Fn() -> i32 + Sync)>) {}

/// A forked process, until its end was seen.
#[derive(Debug)]
pub(super) struct Child(Pid);

/// Time for which a process that stopped itself stays stopped.
const STOPPED_FOR: Duration = Duration::from_millis(2);

impl Child {
    pub(super) fn id(&self) -> u32 {
        self.0.as_raw().cast_unsigned()
    }

    /// The end of the process. Continues it if it has stopped itself.
    pub(super) fn ended(&mut self) -> Option<Ended> {
        match waitpid(self.0, Some(WaitPidFlag::WNOHANG | WaitPidFlag::WUNTRACED)) {
            Ok(WaitStatus::Exited(_, status)) => Some(Ended::Exited(status)),
            Ok(WaitStatus::Signaled(_, signal, _)) => Some(Ended::Killed(signal as i32)),
            Ok(WaitStatus::Stopped(..)) => {
                sleep(STOPPED_FOR);
                let _ = kill(self.0, Signal::SIGCONT);
                None
            }
            _ => None,
        }
    }

    /// Kills it and waits for its end.
    pub(super) fn kill(self) {
        let _ = kill(self.0, Signal::SIGKILL);
        let _ = waitpid(self.0, None);
    }
}

/// Forks the worker processes of one run.
#[derive(Debug)]
pub(super) struct Team {
    parent: Pid,
}

impl Team {
    pub(super) fn new(_witness: &Witness) -> io::Result<Self> {
        Ok(Team { parent: getpid() })
    }

    /// Forks a process, which lives `life` and exits with its status.
    pub(super) fn start(&mut self, _process: usize, life: &dyn Fn() -> i32) -> io::Result<Child> {
        // SAFETY: this process has one thread, or was executed for this run and its other threads
        // hold no lock that the child needs. The child runs only the body and leaves by _exit.
        match unsafe { fork() }? {
            ForkResult::Parent { child } => Ok(Child(child)),
            ForkResult::Child => {
                // No worker outlives the test. The parent may have died before this call.
                let _ = sys::end_fork_with(self.parent);
                if getppid() != self.parent {
                    sys::exit_now(1);
                }
                // Returning would run the rest of the test twice.
                sys::exit_now(life())
            }
        }
    }

    /// Calls `ask` in another process. Returns its exit status, or `None` if it does not end in this
    /// time; `failed` if it cannot be started or panics.
    pub(super) fn ask(
        &mut self,
        _witness: &Witness,
        ask: &dyn Fn() -> i32,
        limit: Duration,
        failed: i32,
    ) -> Option<i32> {
        // SAFETY: the conditions are those of `start`; the child ends by _exit.
        let child = match unsafe { fork() } {
            Ok(ForkResult::Parent { child }) => child,
            Ok(ForkResult::Child) => {
                let status = catch_unwind(AssertUnwindSafe(ask)).unwrap_or(failed);
                // Returning would run the rest of the test twice.
                sys::exit_now(status)
            }
            Err(_) => return Some(failed),
        };
        let until = Instant::now() + limit;
        loop {
            match waitpid(child, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, status)) => return Some(status),
                Ok(WaitStatus::StillAlive) if Instant::now() < until => {
                    sleep(Duration::from_micros(100));
                }
                Ok(WaitStatus::StillAlive) => {
                    Child(child).kill();
                    return None;
                }
                _ => return Some(failed),
            }
        }
    }

    /// The standard error of the processes, as far as it is not that of this one.
    pub(super) fn errors(self) -> String {
        String::new()
    }
}

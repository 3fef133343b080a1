//! The processes that a command leaves behind: its orphans become children of this process.

use std::thread;
use std::time::{Duration, Instant};

use lockutils_harness::procfs::{self, ProcessRow, ProcessTable};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getsid};

use crate::guardian::{Guardian, is_guardian};
use crate::output;
use crate::run_mark::RunMark;

/// Time that processes left behind have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The processes that a command may have left.
#[derive(Debug)]
pub struct Left {
    group: Option<Pid>,
    mark: RunMark,
    guardian: Option<Pid>,
    /// The children that the program which became us had, as a shell's by `exec`: none of ours.
    inherited: Vec<Pid>,
}

impl Left {
    /// Takes note of the children that we have before the command is started.
    ///
    /// Orphans of the command become our children from now on, so that we can reap them
    /// (PR_SET_CHILD_SUBREAPER, prctl(2), Linux 3.4).
    pub fn before(mark: &RunMark, guardian: Option<&Guardian>) -> Self {
        let guardian = guardian.map(Guardian::pid);
        let inherited = procfs::children()
            .filter(|&pid| Some(pid) != guardian && !is_guardian(pid))
            .collect();
        let _ = nix::sys::prctl::set_child_subreaper(true);
        Left {
            group: None,
            mark: mark.clone(),
            guardian,
            inherited,
        }
    }

    /// The command leads this process group.
    pub fn started(&mut self, group: Pid) {
        self.group = Some(group);
    }

    /// Our children that are none of the command's.
    fn spared(&self) -> Vec<Pid> {
        self.inherited
            .iter()
            .copied()
            .chain(self.guardian)
            .collect()
    }

    /// Returns `true` if no process that the command started is alive: its orphans would now be
    /// children of this process.
    pub fn is_nothing(&self) -> bool {
        reap();
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => true,
            Ok(WaitStatus::StillAlive) => {
                let spared = self.spared();
                let mut children = procfs::children().peekable();
                // A kernel that lists no children although some exist leaves this open.
                children.peek().is_some()
                    && children.all(|pid| spared.contains(&pid) || is_guardian(pid))
            }
            _ => false,
        }
    }

    /// Ends it. What has made itself a session of its own, as a daemon does, lives on.
    pub fn end(&self) {
        if self.group.is_none() || self.is_nothing() {
            return;
        }
        let left = self.processes();
        if left.is_empty() {
            return;
        }
        let commands: Vec<String> = left
            .iter()
            .map(|&pid| format!("{pid} ({})", output::printable(&procfs::command(pid))))
            .collect();
        output::warning(format_args!(
            "ending what the run left behind: {}",
            commands.join(", ")
        ));
        if !self.all_end_within(GRACE, Signal::SIGTERM) {
            self.all_end_within(GRACE, Signal::SIGKILL);
        }
    }

    /// The descendants of this process that must end.
    fn processes(&self) -> Vec<Pid> {
        let session = getsid(None).ok();
        // With inherited children, an orphan of theirs looks like one of the command's.
        let is_of_the_run = |row: &ProcessRow| {
            self.inherited.is_empty()
                || Some(row.stat.group) == self.group
                || self.mark.is_on(row.pid)
        };
        ProcessTable::now()
            .descendants(&self.spared())
            .into_iter()
            .filter(|row| Some(row.stat.session) == session && is_of_the_run(row))
            .map(|row| row.pid)
            .filter(|&pid| !is_guardian(pid))
            .collect()
    }

    /// Sends the signal to each process once, and checks until none is left.
    fn all_end_within(&self, time: Duration, signal: Signal) -> bool {
        let deadline = Instant::now() + time;
        let mut signalled = Vec::new();
        loop {
            reap();
            let left = self.processes();
            if left.is_empty() {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            for pid in left {
                if !signalled.contains(&pid) {
                    let _ = kill(pid, signal);
                    let _ = kill(pid, Signal::SIGCONT);
                    signalled.push(pid);
                }
            }
            // Processes that left their parent may not be children of this process, so they cannot
            // be waited for.
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Reaps children that have ended.
fn reap() {
    while let Ok(WaitStatus::Exited(..) | WaitStatus::Signaled(..)) =
        waitpid(None, Some(WaitPidFlag::WNOHANG))
    {}
}

//! The processes that a command leaves behind, on macOS and FreeBSD: the rest of its process group.
//! Processes that have moved to a group of their own are not found.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::guardian::Guardian;
use crate::output;
use crate::run_mark::RunMark;

/// Time that processes left behind have to end after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// The processes that a command may have left.
#[derive(Debug)]
pub struct Left {
    group: Option<Pid>,
}

impl Left {
    pub fn before(_: &RunMark, _: Option<&Guardian>) -> Self {
        Left { group: None }
    }

    /// The command leads this process group.
    pub fn started(&mut self, group: Pid) {
        self.group = Some(group);
    }

    /// Returns `true` if the group of the command, which was reaped, has no process.
    ///
    /// macOS answers EPERM for a group of which all processes have ended.
    pub fn is_nothing(&self) -> bool {
        self.group.is_none_or(|group| killpg(group, None).is_err())
    }

    /// Ends it.
    pub fn end(&self) {
        let Some(group) = self.group.filter(|_| !self.is_nothing()) else {
            return;
        };
        output::warning(format_args!(
            "ending what the run left behind: process group {group}"
        ));
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            let _ = killpg(group, signal);
            let _ = killpg(group, Signal::SIGCONT);
            let deadline = Instant::now() + GRACE;
            while Instant::now() < deadline {
                if self.is_nothing() {
                    return;
                }
                thread::sleep(Duration::from_millis(2));
            }
        }
    }
}

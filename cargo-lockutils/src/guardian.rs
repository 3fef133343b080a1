//! Cleans up after us if we end without having done so ourselves, as by SIGKILL: a process that waits
//! for our end, and ends what belongs to our run.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lockutils_harness::foreign::processes;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::lock_directory::remove_tree;
use crate::run_mark::RunMark;

/// The name of its hidden subcommand.
pub const GUARDIAN: &str = "guardian";

/// What it reads if we end as we should; else its input just ends.
const ALL_IS_WELL: &[u8] = b".";
/// So long it ends processes of the run, which may start others meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// A guardian of one run. Unless it is [dismissed](Self::dismiss), it cleans up when this is dropped.
#[derive(Debug)]
pub struct Guardian {
    child: Child,
    alarm: Option<ChildStdin>,
}

impl Guardian {
    /// Starts one that ends the processes with this mark, and removes `directory` and ends what uses it.
    ///
    /// In a process group of its own, so that what ends our group does not end it, and with an empty environment, so that the guardian of a run
    /// around ours does not take it for a part of that one.
    ///
    /// # Errors
    /// If no process can be started.
    pub fn start(mark: Option<&RunMark>, directory: Option<&Path>) -> io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(GUARDIAN);
        if let Some(mark) = mark {
            command.arg("--run").arg(mark.word());
        }
        let mut child = command
            .args(directory)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        let alarm = child.stdin.take();
        Ok(Guardian { child, alarm })
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// There is nothing left to be done.
    pub fn dismiss(mut self) {
        if let Some(mut alarm) = self.alarm.take() {
            let _ = alarm.write_all(ALL_IS_WELL);
        }
        let _ = self.child.wait();
    }
}

/// What the guardian does.
pub fn run(mark: Option<&str>, directory: Option<&Path>) {
    let mut told = Vec::new();
    // Whatever was read, or went wrong: only a clear word means that nothing is to be done.
    let _ = io::stdin().read_to_end(&mut told);
    if told == ALL_IS_WELL {
        return;
    }
    let mark = mark.map(RunMark::from_word);
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let mut left = mark.as_ref().map_or_else(Vec::new, RunMark::processes);
        left.extend(directory.map_or_else(Vec::new, processes::that_use));
        if left.is_empty() && directory.is_none_or(is_removed) {
            return;
        }
        for pid in left {
            let _ = kill(pid, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_removed(directory: &Path) -> bool {
    remove_tree(directory).is_ok() || fs::symlink_metadata(directory).is_err()
}

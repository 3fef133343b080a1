//! Cleans up after us if we are ended by SIGKILL: a process that waits for our end, and ends what still uses the directory of a run.
//!
//! Workers that we started die with us, but not what they started: a wrapper and its command, a program in a session of its own.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lockutils_harness::foreign::processes;
use nix::sys::signal::{Signal, kill};

/// The name of its hidden subcommand.
pub const GUARDIAN: &str = "guardian";

/// What it reads if we end as we should; else its input just ends.
const ALL_IS_WELL: &[u8] = b".";
/// So long it ends processes that use the directory, which may start others meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// A guardian of one directory; it goes when this is dropped.
#[derive(Debug)]
pub struct Guardian {
    child: Child,
    alarm: Option<ChildStdin>,
}

impl Guardian {
    /// Starts one. In a process group of its own, so that what ends our group does not end it.
    ///
    /// # Errors
    /// If no process can be started.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(GUARDIAN)
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()?;
        let alarm = child.stdin.take();
        Ok(Guardian { child, alarm })
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        if let Some(mut alarm) = self.alarm.take() {
            let _ = alarm.write_all(ALL_IS_WELL);
        }
        let _ = self.child.wait();
    }
}

/// What the guardian does.
pub fn run(directory: &Path) {
    let mut told = Vec::new();
    // Whatever was read, or went wrong: only a clear word means that nothing is to be done.
    let _ = io::stdin().read_to_end(&mut told);
    if told == ALL_IS_WELL {
        return;
    }
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let left = processes::that_were_given(directory);
        if left.is_empty() && (fs::remove_dir_all(directory).is_ok() || !directory.exists()) {
            return;
        }
        for pid in left {
            let _ = kill(pid, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

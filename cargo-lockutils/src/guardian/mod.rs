//! The guardian: a process that waits for the end of this one and, if it ends without cleaning up,
//! for instance by SIGKILL, ends the processes of its run.
//!
//! It waits for the end of a pipe of which only we have the other side: the system closes that
//! however we end.

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
mod bsd;
mod executed;
#[cfg(any(test, target_os = "macos", target_os = "freebsd"))]
mod groups;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(windows)]
mod windows;

use std::fs;
use std::io::{self, PipeWriter, Read, Write};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

#[cfg(any(target_os = "macos", target_os = "freebsd"))]
use bsd as platform;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "linux")]
pub use linux::is_guardian;
#[cfg(windows)]
use windows as platform;

use crate::remove_tree::remove_tree;
use crate::run_mark::RunMark;

/// The last message after a regular end; without it the input just ends.
const REGULAR_END: &[u8] = b".";
/// Time limit for ending processes of the run, which may start others meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// The guardian of one run. Unless it is [dismissed](Self::dismiss), it cleans up when this is
/// dropped.
#[derive(Debug)]
pub struct Guardian {
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "for debugging"))]
    process: u32,
    alarm: Option<PipeWriter>,
}

impl Guardian {
    /// Starts one that ends the processes of the run, and removes `directory` and ends what uses
    /// it. What ends our process group does not end it.
    ///
    /// # Errors
    /// Returns an error if no process can be started.
    pub fn start(mark: Option<&RunMark>, directory: Option<&Path>) -> io::Result<Self> {
        let (reader, alarm) = io::pipe()?;
        Ok(Guardian {
            process: platform::start(reader, mark, directory, watch)?,
            alarm: Some(alarm),
        })
    }

    #[cfg(target_os = "linux")]
    pub fn pid(&self) -> nix::unistd::Pid {
        nix::unistd::Pid::from_raw(self.process.cast_signed())
    }

    /// The run has a process group more. On Linux it is found by its mark.
    #[cfg(target_os = "linux")]
    pub fn watches(&self, _: nix::unistd::Pid) {}

    /// The run has a process group more.
    #[cfg(any(target_os = "macos", target_os = "freebsd"))]
    pub fn watches(&self, group: nix::unistd::Pid) {
        if let Some(mut alarm) = self.alarm.as_ref() {
            let _ = alarm.write_all(groups::line(group.as_raw()).as_bytes());
        }
    }

    /// Ends the guardian without a cleanup. It is not waited for, which would take as long as the
    /// rest of the command.
    pub fn dismiss(mut self) {
        if let Some(mut alarm) = self.alarm.take() {
            let _ = alarm.write_all(REGULAR_END);
        }
    }
}

/// The main function of the executed guardian.
pub fn run(mark: Option<&str>, directory: Option<&Path>) {
    platform::call_this_process();
    watch(mark.map(RunMark::from_word).as_ref(), directory);
}

/// Waits for the end of the input, and cleans up unless the end was regular.
fn watch(mark: Option<&RunMark>, directory: Option<&Path>) {
    let mut input = Vec::new();
    // An error is ignored: only the complete message cancels the cleanup.
    let _ = io::stdin().read_to_end(&mut input);
    if input.ends_with(REGULAR_END) {
        return;
    }
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let nothing = platform::end_all(mark, directory, &input);
        if nothing && directory.is_none_or(is_removed) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_removed(directory: &Path) -> bool {
    remove_tree(directory).is_ok() || fs::symlink_metadata(directory).is_err()
}

//! Cleans up after us if we end without having done so ourselves, as by SIGKILL: a process that
//! waits for our end, and ends what belongs to our run.
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

/// The last that it reads if we end as we should; else its input just ends.
const ALL_IS_WELL: &[u8] = b".";
/// So long it ends processes of the run, which may start others meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// A guardian of one run. Unless it is [dismissed](Self::dismiss), it cleans up when this is
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
    /// If no process can be started.
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

    /// There is nothing left to be done. It ends by itself, and is not waited for, which would take
    /// as long as all else that we do.
    pub fn dismiss(mut self) {
        if let Some(mut alarm) = self.alarm.take() {
            let _ = alarm.write_all(ALL_IS_WELL);
        }
    }
}

/// What the executed guardian does.
pub fn run(mark: Option<&str>, directory: Option<&Path>) {
    platform::call_this_process();
    watch(mark.map(RunMark::from_word).as_ref(), directory);
}

/// Waits for the end of the input, and cleans up unless all is well.
fn watch(mark: Option<&RunMark>, directory: Option<&Path>) {
    let mut told = Vec::new();
    // Whatever was read, or went wrong: only a clear word means that nothing is to be done.
    let _ = io::stdin().read_to_end(&mut told);
    if told.ends_with(ALL_IS_WELL) {
        return;
    }
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let nothing = platform::end_all(mark, directory, &told);
        if nothing && directory.is_none_or(is_removed) {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn is_removed(directory: &Path) -> bool {
    remove_tree(directory).is_ok() || fs::symlink_metadata(directory).is_err()
}

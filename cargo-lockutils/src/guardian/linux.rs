//! The guardian on Linux: a fork of ours while we have one thread, which takes a tenth of the time.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, PipeReader};
use std::os::fd::IntoRawFd;
use std::path::Path;

use lockutils_harness::procfs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, setpgid};

use super::executed::executed;
use crate::run_mark::RunMark;

/// Its name in the kernel, of at most 15 characters.
const NAME: &CStr = c"lockutils-guard";

/// Starts the guardian, which calls `watch`.
pub fn start(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
    watch: fn(Option<&RunMark>, Option<&Path>),
) -> io::Result<u32> {
    match procfs::is_single_threaded() {
        true => forked(reader, mark, directory, watch),
        false => executed(reader, mark, directory),
    }
}

fn forked(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
    watch: fn(Option<&RunMark>, Option<&Path>),
) -> io::Result<u32> {
    // SAFETY: this process has one thread, so no lock of the C library or of this program is held
    // by a thread that the child lacks. The child never returns from here and ends without
    // destructors or exit handlers, so no shared resource is closed, flushed or removed twice.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child.as_raw().cast_unsigned()),
        ForkResult::Child => {
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            call_this_process();
            let status = match keep_only(reader) {
                Ok(()) => {
                    watch(mark, directory);
                    0
                }
                Err(_) => 1,
            };
            // SAFETY: ends the process, and touches no memory.
            unsafe { nix::libc::_exit(status) }
        }
    }
}

/// Leaves only the pipe open, as standard input: not its other end, without which the input would
/// never end, nor the pipe that the caller reads, nor the locks of the run.
fn keep_only(reader: PipeReader) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&reader)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    // Their numbers are closed below.
    let _ = (reader.into_raw_fd(), null.into_raw_fd());
    for fd in procfs::own_descriptors()?.into_iter().filter(|&fd| fd > 2) {
        // The descriptor of the listing itself is already closed.
        let _ = nix::unistd::close(fd);
    }
    std::env::set_current_dir("/")
}

/// Gives this process the name of a guardian.
pub fn call_this_process() {
    let _ = nix::sys::prctl::set_name(NAME);
}

/// Kills the processes with the mark, and those with a lock path in `directory`. Returns `true` if
/// there were none.
pub fn end_all(mark: Option<&RunMark>, directory: Option<&Path>, _told: &[u8]) -> bool {
    let mut left = mark.map_or_else(Vec::new, RunMark::processes);
    left.extend(directory.map_or_else(Vec::new, procfs::with_lock_path_in));
    // The guardian of a nested run sees the end of that run and cleans up after it.
    left.retain(|&pid| !is_guardian(pid));
    for pid in &left {
        let _ = kill(*pid, Signal::SIGKILL);
    }
    left.is_empty()
}

/// Returns `true` for a guardian, also that of a nested or an earlier run, which is about to end.
pub fn is_guardian(pid: Pid) -> bool {
    procfs::name(pid) == NAME.to_bytes()
}

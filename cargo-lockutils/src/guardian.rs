//! The guardian: a process that waits for the end of this one and, if it ends without cleaning up,
//! for instance by SIGKILL, ends the processes of its run.

use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::IntoRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lockutils_harness::procfs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, setpgid};

use crate::cli::GUARDIAN;
use crate::remove_tree::remove_tree;
use crate::run_mark::RunMark;

/// The message for a regular end; without it the input just ends.
const REGULAR_END: &[u8] = b".";
/// Time limit for ending processes of the run, which may start others meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// Its name in the kernel, of at most 15 characters.
const NAME: &CStr = c"lockutils-guard";

/// The guardian of one run. Unless it is [dismissed](Self::dismiss), it cleans up when this is
/// dropped.
#[derive(Debug)]
pub struct Guardian {
    pid: Pid,
    alarm: Option<PipeWriter>,
}

impl Guardian {
    /// Starts a guardian that ends the processes with this mark, removes `directory` and ends the
    /// processes that use it.
    ///
    /// It runs in a process group of its own, so that a signal to this group does not end it. While
    /// this process has one thread, the guardian is a fork, which takes a tenth of the time; later
    /// the program is executed for it.
    ///
    /// # Errors
    /// Returns an error if no process can be started.
    pub fn start(mark: Option<&RunMark>, directory: Option<&Path>) -> io::Result<Self> {
        let (reader, alarm) = io::pipe()?;
        let pid = match procfs::is_single_threaded() {
            true => forked(reader, mark, directory)?,
            false => executed(reader, mark, directory)?,
        };
        Ok(Guardian {
            pid,
            alarm: Some(alarm),
        })
    }

    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Ends the guardian without a cleanup. It is not waited for, which would take as long as the
    /// rest of the command.
    pub fn dismiss(mut self) {
        if let Some(mut alarm) = self.alarm.take() {
            let _ = alarm.write_all(REGULAR_END);
        }
    }
}

fn forked(reader: PipeReader, mark: Option<&RunMark>, directory: Option<&Path>) -> io::Result<Pid> {
    // SAFETY: this process has one thread, so no lock of the C library or of this program is held
    // by a thread that the child lacks. The child never returns from here and ends without
    // destructors or exit handlers, so no shared resource is closed, flushed or removed twice.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let _ = nix::sys::prctl::set_name(NAME);
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

fn executed(
    reader: PipeReader,
    mark: Option<&RunMark>,
    directory: Option<&Path>,
) -> io::Result<Pid> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(GUARDIAN);
    if let Some(mark) = mark {
        command.arg("--run").arg(mark.word());
    }
    let child = command
        .args(directory)
        .stdin(reader)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .process_group(0)
        .spawn()?;
    Ok(Pid::from_raw(child.id().cast_signed()))
}

/// The main function of the executed guardian.
pub fn run(mark: Option<&str>, directory: Option<&Path>) {
    let _ = nix::sys::prctl::set_name(NAME);
    watch(mark.map(RunMark::from_word).as_ref(), directory);
}

/// Waits for the end of the input, and cleans up unless the end was regular.
fn watch(mark: Option<&RunMark>, directory: Option<&Path>) {
    let mut input = Vec::new();
    // An error is ignored: only the complete message cancels the cleanup.
    let _ = io::stdin().read_to_end(&mut input);
    if input == REGULAR_END {
        return;
    }
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let mut left = mark.map_or_else(Vec::new, RunMark::processes);
        left.extend(directory.map_or_else(Vec::new, procfs::with_lock_path_in));
        // The guardian of a nested run sees the end of that run and cleans up after it.
        left.retain(|&pid| !is_guardian(pid));
        if left.is_empty() && directory.is_none_or(is_removed) {
            return;
        }
        for pid in left {
            let _ = kill(pid, Signal::SIGKILL);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Returns `true` for a guardian, also that of a nested or an earlier run, which is about to end.
pub fn is_guardian(pid: Pid) -> bool {
    procfs::name(pid) == NAME.to_bytes()
}

fn is_removed(directory: &Path) -> bool {
    remove_tree(directory).is_ok() || fs::symlink_metadata(directory).is_err()
}

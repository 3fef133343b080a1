//! Cleans up after us if we end without having done so ourselves, as by SIGKILL: a process that
//! waits for our end, and ends what belongs to our run.

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

/// What it reads if we end as we should; else its input just ends.
const ALL_IS_WELL: &[u8] = b".";
/// So long it ends processes of the run, which may start others meanwhile.
const LONGEST: Duration = Duration::from_secs(10);

/// What the kernel calls it, in at most 15 characters.
const NAME: &CStr = c"lockutils-guard";

/// A guardian of one run. Unless it is [dismissed](Self::dismiss), it cleans up when this is
/// dropped.
#[derive(Debug)]
pub struct Guardian {
    pid: Pid,
    alarm: Option<PipeWriter>,
}

impl Guardian {
    /// Starts one that ends the processes with this mark, and removes `directory` and ends what
    /// uses it.
    ///
    /// In a process group of its own, so that what ends our group does not end it. While we have
    /// one thread it is a fork of ours, which takes a tenth of the time; later our program is
    /// executed for it.
    ///
    /// # Errors
    /// If no process can be started.
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

    /// There is nothing left to be done. It ends by itself, and is not waited for, which would take
    /// as long as all else that we do.
    pub fn dismiss(mut self) {
        if let Some(mut alarm) = self.alarm.take() {
            let _ = alarm.write_all(ALL_IS_WELL);
        }
    }
}

fn forked(reader: PipeReader, mark: Option<&RunMark>, directory: Option<&Path>) -> io::Result<Pid> {
    // SAFETY: we have one thread, so no lock of the C library or of ours is held by a thread that
    // the child lacks. The child never returns from here, and ends without destructors or exit
    // handlers, so nothing that it shares with us is closed, flushed or removed twice.
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
            // SAFETY: it ends the process, and touches no memory.
            unsafe { nix::libc::_exit(status) }
        }
    }
}

/// Leaves the pipe as standard input and nothing else open: neither the other end of the pipe,
/// which would never end, nor what our caller reads, nor the locks of the run.
fn keep_only(reader: PipeReader) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&reader)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    // Their numbers are closed below.
    let _ = (reader.into_raw_fd(), null.into_raw_fd());
    for fd in procfs::own_descriptors()?.into_iter().filter(|&fd| fd > 2) {
        // That of the listing itself is closed already.
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

/// What the executed guardian does.
pub fn run(mark: Option<&str>, directory: Option<&Path>) {
    let _ = nix::sys::prctl::set_name(NAME);
    watch(mark.map(RunMark::from_word).as_ref(), directory);
}

/// Waits for the end of the input, and cleans up unless all is well.
fn watch(mark: Option<&RunMark>, directory: Option<&Path>) {
    let mut told = Vec::new();
    // Whatever was read, or went wrong: only a clear word means that nothing is to be done.
    let _ = io::stdin().read_to_end(&mut told);
    if told == ALL_IS_WELL {
        return;
    }
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        let mut left = mark.map_or_else(Vec::new, RunMark::processes);
        left.extend(directory.map_or_else(Vec::new, procfs::with_lock_path_in));
        // The guardian of a run within ours sees that run's end, and cleans up after it.
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

/// Whether it is one of ours, or that of a run within or before this one, which is about to end.
pub fn is_guardian(pid: Pid) -> bool {
    procfs::name(pid) == NAME.to_bytes()
}

fn is_removed(directory: &Path) -> bool {
    remove_tree(directory).is_ok() || fs::symlink_metadata(directory).is_err()
}

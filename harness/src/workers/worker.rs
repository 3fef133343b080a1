//! One worker process: its input, its output and its end.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::protocol::{Line, Verb};

/// Maximum length of a line of the protocol, in bytes.
const LONGEST_LINE: usize = 16 * 1024;
/// Number of bytes read at a time, so that a worker that writes endlessly does not starve the
/// others.
const AT_ONCE: usize = 16 * 1024;
/// Bytes of standard error that are kept.
const EXCERPT: usize = 4 * 1024;

/// A worker process in a process group of its own.
#[derive(Debug)]
pub struct WorkerProcess {
    child: Child,
    pid_fd: OwnedFd,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    partial: Vec<u8>,
    errors: Vec<u8>,
    errors_dropped: u64,
    outlived: bool,
    /// Removed with the process.
    directory: Option<PathBuf>,
    /// `true` once another module has reaped the process: its number may have been reused.
    reaped: bool,
}

impl WorkerProcess {
    /// Starts the process, which dies with this one.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        // SAFETY: prctl and setrlimit are plain system calls; nothing else happens between fork and
        // exec.
        unsafe {
            command.pre_exec(|| {
                nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
                if let Some((soft, hard)) = LIMITS_BEFORE.get() {
                    setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard)?;
                }
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let pid_fd = end_of(&child)?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let pipes = [
            stdin.as_ref().map(AsFd::as_fd),
            stdout.as_ref().map(AsFd::as_fd),
            stderr.as_ref().map(AsFd::as_fd),
        ];
        for pipe in pipes.into_iter().flatten() {
            fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        }
        Ok(WorkerProcess {
            child,
            pid_fd,
            stdin,
            stdout,
            stderr,
            partial: Vec::new(),
            errors: Vec::new(),
            errors_dropped: 0,
            outlived: false,
            directory: None,
            reaped: false,
        })
    }

    /// Gives the process a directory that is removed with it.
    pub fn with_directory(mut self, directory: PathBuf) -> Self {
        self.directory = Some(directory);
        self
    }

    /// The descriptors to poll: readable when the worker has written or ended.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
            Some(self.pid_fd.as_fd()),
        ]
        .into_iter()
        .flatten()
    }

    /// Sends a request to a slot. Fails if the worker does not read, or is gone.
    pub fn send(&mut self, slot: usize, verb: Verb) -> io::Result<()> {
        self.write_line(&format!("{slot} {verb}\n"))
    }

    /// Writes a line as it is.
    pub fn write_line(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        // A write of less than PIPE_BUF bytes is atomic (pipe(7)).
        stdin.write(line.as_bytes()).map(drop)
    }

    /// Ends the input: the worker has to exit.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Reads the lines that have arrived. Returns `false` once no more will come.
    pub fn lines(&mut self, lines: &mut Vec<Line>) -> bool {
        self.read_errors();
        let Some(stdout) = &mut self.stdout else {
            return false;
        };
        let over = has_ended(&self.pid_fd);
        let mut buffer = [0; AT_ONCE];
        let more = match stdout.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.partial.extend_from_slice(&buffer[..length]);
                true
            }
            // A child of the worker may keep the pipe open; the worker's own output came before its
            // end.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.outlived = over;
                !over
            }
            Err(error) => error.kind() == io::ErrorKind::Interrupted,
        };
        let mut start = 0;
        while let Some(length) = self.partial[start..].iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&self.partial[start..start + length]);
            lines.push(Line::parse(&line));
            start += length + 1;
        }
        self.partial.drain(..start);
        if self.partial.len() > LONGEST_LINE {
            let line = String::from_utf8_lossy(&self.partial[..200]).into_owned();
            lines.push(Line::Garbage(format!(
                "{line}… (and no end of line in {LONGEST_LINE} bytes)"
            )));
            self.partial.clear();
        }
        if !more {
            self.stdout = None;
        }
        more
    }

    fn read_errors(&mut self) {
        let Some(stderr) = &mut self.stderr else {
            return;
        };
        let mut buffer = [0; AT_ONCE];
        match stderr.read(&mut buffer) {
            Ok(0) => self.stderr = None,
            Ok(length) => {
                self.errors.extend_from_slice(&buffer[..length]);
                let excess = self.errors.len().saturating_sub(EXCERPT);
                self.errors.drain(..excess);
                self.errors_dropped += excess as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => self.stderr = None,
        }
    }

    /// The last part of its standard error.
    pub fn errors(&mut self) -> String {
        for _ in 0..4 {
            self.read_errors();
        }
        let text = String::from_utf8_lossy(&self.errors);
        match self.errors_dropped {
            0 => text.trim().to_owned(),
            dropped => format!("({dropped} bytes before) {}", text.trim()),
        }
    }

    /// Returns `true` if its output was still open after its end: a child of it lives on.
    pub fn is_outlived(&self) -> bool {
        self.outlived
    }

    /// Its exit status; `None` while it runs.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends a signal to its process group.
    pub fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Marks it as reaped by another module.
    #[cfg(feature = "explore")]
    pub fn mark_reaped(&mut self) {
        self.reaped = true;
    }

    /// Kills its process group. Output that was not read yet is lost.
    pub fn kill(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(Signal::SIGKILL);
        self.stdin = None;
        // It may stay in an uninterruptible wait of the kernel for a while, but then ends.
        let _ = self.child.wait();
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
        if let Some(directory) = &self.directory {
            // A directory in use is removed later, together with the base directory.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Returns `true` if the process has ended.
///
/// Unlike waitpid(2), this takes neither its status nor the stops of a traced process.
fn has_ended(pid_fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pid_fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The limit of descriptors that workers get back.
static LIMITS_BEFORE: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the limit of descriptors of this process: each worker needs four.
pub fn allow_many_descriptors() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok()
    {
        LIMITS_BEFORE.get_or_init(|| (soft, hard));
    }
}

/// A descriptor that is readable when the process has ended (pidfd_open(2), Linux 5.3).
pub fn end_of(child: &Child) -> io::Result<OwnedFd> {
    Ok(pidfd_open(
        rustix::process::Pid::from_child(child),
        PidfdFlags::empty(),
    )?)
}

/// Describes how a process ended.
pub fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (_, Some(signal)) => match Signal::try_from(signal) {
            Ok(signal) => format!("was ended by {signal}"),
            Err(_) => format!("was ended by signal {signal}"),
        },
        _ => "ended".to_owned(),
    }
}

//! One worker process: what goes in, what comes out, and how it ends.

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

/// A line that is longer is no line of the protocol.
const LONGEST_LINE: usize = 16 * 1024;
/// How much is read at a time, so that one worker that writes without end does not keep us from the others.
const AT_ONCE: usize = 16 * 1024;
/// How much of its standard error is kept.
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
    /// Removed when it is gone.
    directory: Option<PathBuf>,
    /// Somebody else has reaped it: its number may belong to another process by now.
    reaped: bool,
}

impl WorkerProcess {
    /// Starts it; it dies with us.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        // SAFETY: prctl and setrlimit are plain system calls, and nothing else is done between fork and exec.
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

    /// This directory is its own, and goes with it.
    pub fn with_directory(mut self, directory: PathBuf) -> Self {
        self.directory = Some(directory);
        self
    }

    /// What to poll: it may have written something, or ended.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
            Some(self.pid_fd.as_fd()),
        ]
        .into_iter()
        .flatten()
    }

    /// Tells a slot to do something. Fails if the worker does not read, or is gone.
    pub fn tell(&mut self, slot: usize, verb: Verb) -> io::Result<()> {
        self.say(&format!("{slot} {verb}\n"))
    }

    /// Writes a line as it is.
    pub fn say(&mut self, line: &str) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        // One write of less than PIPE_BUF bytes is done as a whole or not at all (pipe(7)).
        stdin.write(line.as_bytes()).map(drop)
    }

    /// End of input: it is to leave.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// The lines that have come in; nothing more will come once `false` is returned.
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
            // Something that it started may keep the pipe open; what it wrote itself was there before it ended.
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

    /// The end of what it wrote to standard error.
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

    /// Whether its output was still open when it had ended: something that it started goes on.
    pub fn is_outlived(&self) -> bool {
        self.outlived
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// Sends a signal to it and everything that it started and that stayed in its group.
    pub fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// It has ended, and somebody else has reaped it.
    #[cfg(feature = "explore")]
    pub fn was_reaped(&mut self) {
        self.reaped = true;
    }

    /// Ends it now. Whatever was in its pipes is lost.
    pub fn kill(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(Signal::SIGKILL);
        self.stdin = None;
        // A killed process may stay in an uninterruptible wait of the kernel for a while, but ends without our help.
        let _ = self.child.wait();
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.kill();
        if let Some(directory) = &self.directory {
            // The rest of it is removed with everything else, if something still writes there.
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// Whether the process has ended. Unlike waitpid(2), this does not take its status, nor the stops of a process that is traced.
fn has_ended(pid_fd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pid_fd.as_fd(), PollFlags::POLLIN)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
}

/// The limit of descriptors that workers get back.
static LIMITS_BEFORE: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Lets us have as many descriptors as we may: each worker takes four of them.
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

/// How a process ended, in words.
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

//! Programs with pipes, each in a process group of its own.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::system;

/// A running program.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    end: OwnedFd,
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// `true` once another module has reaped the process: its number may have been reused.
    reaped: bool,
}

impl Program {
    /// Starts a program, which dies with this process.
    pub(crate) fn start(mut command: Command) -> io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        // SAFETY: prctl and setrlimit are plain system calls; nothing else happens between fork and
        // exec.
        unsafe {
            command.pre_exec(|| {
                system::end_with_parent()?;
                if let Some((soft, hard)) = LIMITS_BEFORE.get() {
                    setrlimit(Resource::RLIMIT_NOFILE, *soft, *hard)?;
                }
                Ok(())
            });
        }
        let mut child = command.spawn()?;
        let end = system::end_of(&child)?;
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
        Ok(Program {
            child,
            end,
            stdin,
            stdout,
            stderr,
            reaped: false,
        })
    }

    /// The descriptors to poll: readable when the program has written or ended.
    fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        [
            self.stdout.as_ref().map(AsFd::as_fd),
            self.stderr.as_ref().map(AsFd::as_fd),
            Some(self.end.as_fd()),
        ]
        .into_iter()
        .flatten()
    }

    /// Writes a line of less than PIPE_BUF bytes, which is atomic (pipe(7)). Fails with
    /// `WouldBlock` if the program does not read.
    pub(crate) fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write(line).map(drop)
    }

    /// Closes its input.
    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Reads what it has written: 0 bytes at the end, `WouldBlock` if there is nothing yet. `None`
    /// once the end was read.
    pub(crate) fn read_output(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let read = self.stdout.as_mut()?.read(buffer);
        if matches!(read, Ok(0)) {
            self.stdout = None;
        }
        Some(read)
    }

    /// Does not read its output any more.
    pub(crate) fn close_output(&mut self) {
        self.stdout = None;
    }

    /// Like [`read_output`](Self::read_output), for standard error; an error ends it.
    pub(crate) fn read_errors(&mut self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        let read = self.stderr.as_mut()?.read(buffer);
        match &read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(1..) => {}
            _ => self.stderr = None,
        }
        Some(read)
    }

    /// Returns `true` if the process has ended.
    ///
    /// Unlike waitpid(2), this takes neither its status nor the stops of a traced process.
    pub(crate) fn is_over(&self) -> bool {
        let mut fds = [PollFd::new(self.end.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Its exit status; `None` while it runs.
    pub(crate) fn status(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), signal);
    }

    /// Asks the process to end (SIGINT).
    pub(crate) fn interrupt(&mut self) {
        if !self.reaped && !self.is_over() {
            let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGINT);
        }
    }

    /// Stops its process group.
    pub(crate) fn stop(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Continues its process group.
    pub(crate) fn resume(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Marks it as reaped by another module.
    #[cfg(all(target_os = "linux", feature = "explore"))]
    pub(crate) fn mark_reaped(&mut self) {
        self.reaped = true;
    }

    /// Makes another process, which another module reaps, the one whose end counts.
    #[cfg(all(target_os = "linux", feature = "explore"))]
    pub(crate) fn continues_as(&mut self, successor: u32) {
        self.reaped = true;
        let successor = Pid::from_raw(successor.cast_signed());
        if let Ok(end) = system::end_of_process(successor) {
            self.end = end;
        }
    }

    /// Kills its process group. Output that was not read yet is lost.
    pub(crate) fn kill(&mut self) {
        if self.reaped {
            return;
        }
        self.signal(Signal::SIGKILL);
        self.stdin = None;
        // It may stay in an uninterruptible wait of the kernel for a while, but then ends.
        let _ = self.child.wait();
    }
}

/// Waits until programs have written or ended, or the time has passed. Returns the owners of these,
/// each once if those of one owner stand together.
pub(crate) fn wait<'a>(
    programs: impl Iterator<Item = (usize, &'a Program)>,
    timeout: Duration,
) -> Vec<usize> {
    let (mut fds, mut owners) = (Vec::new(), Vec::new());
    for (owner, program) in programs {
        for fd in program.descriptors() {
            fds.push(PollFd::new(fd, PollFlags::POLLIN));
            owners.push(owner);
        }
    }
    system::poll(&mut fds, timeout);
    let ready = |fd: &PollFd<'_>| fd.revents().is_some_and(|events| !events.is_empty());
    let mut numbers: Vec<usize> = fds
        .iter()
        .zip(owners)
        .filter(|(fd, _)| ready(fd))
        .map(|(_, owner)| owner)
        .collect();
    numbers.dedup();
    numbers
}

/// Waits until the program has written or ended, or the time has passed.
pub(crate) fn wait_for(program: &Program, time: Duration) {
    let mut fds: Vec<PollFd<'_>> = program
        .descriptors()
        .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
        .collect();
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    let _ = poll(&mut fds, timeout);
    // A closed pipe is always ready, and must not make the caller spin.
    if fds.iter().any(|fd| {
        fd.revents()
            .is_some_and(|events| events.contains(PollFlags::POLLHUP))
    }) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The limit of descriptors that programs get back.
static LIMITS_BEFORE: OnceLock<(rlim_t, rlim_t)> = OnceLock::new();

/// Raises the limit of descriptors of this process: each program needs four.
pub(crate) fn allow_many() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok()
    {
        LIMITS_BEFORE.get_or_init(|| (soft, hard));
    }
}

/// Makes orphans of programs children of this process, where the system can.
pub(crate) fn adopt_orphans() {
    system::adopt_orphans();
}

/// Reaps ended children of this process that are none of these programs.
pub(crate) fn reap_orphans<'a>(programs: impl Iterator<Item = &'a Program>) {
    let ours: Vec<u32> = programs.map(Program::id).collect();
    system::reap_orphans(&ours);
}

/// Reaps all ended children of this process.
pub(crate) fn reap_all() {
    while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status.pid().is_some()) {}
}

/// Describes how a process ended.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (
        status.code(),
        status.signal().and_then(super::describe_signal),
    ) {
        (Some(code), _) => format!("exited with status {code}"),
        (_, Some(signal)) => format!("was ended by {signal}"),
        _ => "ended".to_owned(),
    }
}

/// Returns `true` if the process was killed.
pub(crate) fn was_killed(status: ExitStatus) -> bool {
    status.signal() == Some(Signal::SIGKILL as i32)
}

/// Returns `true` if the file can be executed.
pub(crate) fn is_executable(path: &Path) -> bool {
    path.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

//! Runs a command, with retries, and logs the outcome.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags};
use tracing::Level;

use super::child::{Plan, Step};
use super::communicate::{WaitFailure, Written, communicate, wait_for};
use super::error::{Error, ProcessExecutionError};
use super::exit_codes::CheckExitCode;
use super::log::{LogErrors, log_at};
use super::mask::{into_text, mask_password};
use super::output::Output;
use super::process::Process;
use super::retry::RetryDelay;
use crate::sys;

/// Maximum time for which SIGKILL may take effect. It takes longer only if the process is in an
/// uninterruptible sleep, for instance on a network file system whose server is gone.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

pub(super) type Callback<'a> = Option<Box<dyn FnMut(&Process) + 'a>>;

/// A command with validated options.
pub(super) struct Attempts<'a> {
    pub(super) plan: Plan,
    /// The command line for messages, masked.
    pub(super) cmd: String,
    pub(super) input: Vec<u8>,
    pub(super) check_exit_code: CheckExitCode,
    pub(super) attempts: u32,
    pub(super) delay: RetryDelay,
    pub(super) timeout: Option<Duration>,
    pub(super) log_errors: LogErrors,
    pub(super) level: Level,
    pub(super) on_execute: Callback<'a>,
    pub(super) on_completion: Callback<'a>,
}

impl Attempts<'_> {
    pub(super) fn run(mut self) -> Result<Output<Vec<u8>>, Error> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt() {
                Ok(output) => return Ok(output),
                Err(error) => error,
            };
            // As in oslo: a second attempt cannot change these errors, and a timeout is final.
            let may_retry = matches!(
                error,
                Error::Failed(_) | Error::Start { .. } | Error::Io { .. }
            );
            if !may_retry {
                return Err(error);
            }
            if self.log_errors.wants(attempt, self.attempts) {
                self.log(&error);
            }
            if attempt >= self.attempts {
                log_at!(
                    self.level,
                    command = self.cmd,
                    attempt,
                    "failed, not retrying"
                );
                return Err(error);
            }
            log_at!(self.level, command = self.cmd, attempt, "failed, retrying");
            thread::sleep(self.delay.next());
            attempt += 1;
        }
    }

    fn log(&self, error: &Error) {
        match error {
            Error::Failed(failed) => log_at!(
                self.level,
                command = self.cmd,
                exit_code = failed.exit_code,
                stdout = failed.stdout,
                stderr = failed.stderr,
                "the command failed"
            ),
            Error::Start { source, .. } | Error::Io { source, .. } => log_at!(
                self.level,
                command = self.cmd,
                errno = source.raw_os_error(),
                "the command could not be run: {source}"
            ),
            _ => {}
        }
    }

    fn attempt(&mut self) -> Result<Output<Vec<u8>>, Error> {
        let began = Instant::now();
        let deadline = self.timeout.and_then(|timeout| began.checked_add(timeout));
        log_at!(self.level, command = self.cmd, "running");
        let (child, pidfd) = self
            .plan
            .start()
            .map_err(|(step, error)| self.not_started(step, error))?;
        let mut running = Running::of(child, self.plan.own_group, pidfd)
            .map_err(|error| self.io("watching it", error))?;
        if let Some(on_execute) = &mut self.on_execute {
            on_execute(&running.process);
        }
        let mut written = Written::default();
        let ended = running.communicate(&self.input, deadline, &mut written);
        let seconds = began.elapsed().as_secs_f64();
        let result = match ended {
            Ok(exit_code) => {
                log_at!(self.level, command = self.cmd, exit_code, seconds, "ended");
                Ok(exit_code)
            }
            Err(WaitFailure::Io(doing, error)) => Err(self.io(doing, error)),
            Err(WaitFailure::ExitCodeLost) => {
                log_at!(
                    self.level,
                    command = self.cmd,
                    seconds,
                    "ended, exit code lost"
                );
                Err(Error::ExitCodeLost {
                    cmd: self.cmd.clone(),
                    stdout: readable(std::mem::take(&mut written.stdout)),
                    stderr: readable(std::mem::take(&mut written.stderr)),
                })
            }
            Err(WaitFailure::TimedOut) => {
                log_at!(self.level, command = self.cmd, seconds, "timed out");
                Err(Error::Timeout {
                    cmd: self.cmd.clone(),
                    left_running: running.stop(),
                    timeout: self.timeout.unwrap_or_default(),
                    stdout: readable(std::mem::take(&mut written.stdout)),
                    stderr: readable(std::mem::take(&mut written.stderr)),
                })
            }
        };
        running.stop();
        if let Some(on_completion) = &mut self.on_completion {
            on_completion(&running.process);
        }
        let exit_code = result?;
        match self.check_exit_code.accepts(exit_code) {
            true => Ok(Output {
                stdout: written.stdout,
                stderr: written.stderr,
                exit_code,
            }),
            false => Err(Error::Failed(ProcessExecutionError {
                stdout: Some(readable(written.stdout)),
                stderr: Some(readable(written.stderr)),
                exit_code: Some(exit_code),
                cmd: Some(self.cmd.clone()),
                description: None,
            })),
        }
    }

    fn io(&self, doing: &'static str, source: io::Error) -> Error {
        let cmd = self.cmd.clone();
        Error::Io { cmd, doing, source }
    }

    fn not_started(&self, step: Step, source: io::Error) -> Error {
        let cmd = self.cmd.clone();
        match step {
            Step::Preexec => Error::Preexec { cmd, source },
            Step::Limit(number) => {
                let (limit, value) = self.plan.limits.by_number(number);
                Error::Limit {
                    cmd,
                    limit,
                    value,
                    source,
                }
            }
            Step::Exec => {
                let hint = self.hint(&source);
                Error::Start { cmd, hint, source }
            }
        }
    }

    fn hint(&self, error: &io::Error) -> String {
        match (&self.plan.cwd, error.kind()) {
            (Some(cwd), _) if !cwd.is_dir() => format!(" (the directory {cwd:?} does not exist)"),
            (_, io::ErrorKind::NotFound) => {
                " (is the program installed and in a directory of PATH? for a script: is its \
                 interpreter installed?)"
                    .to_owned()
            }
            (_, io::ErrorKind::PermissionDenied) => " (is the file executable?)".to_owned(),
            _ => String::new(),
        }
    }
}

/// Masked output for messages.
pub(super) fn readable(output: Vec<u8>) -> String {
    mask_password(&into_text(output)).into_owned()
}

/// A child that never outlives this value: dropping the value kills the child and waits for it,
/// unless it has already been waited for.
struct Running {
    child: Option<Child>,
    process: Process,
}

impl Running {
    fn of(mut child: Child, leads_group: bool, pidfd: Option<OwnedFd>) -> io::Result<Self> {
        match Process::of_child(child.id(), leads_group, pidfd) {
            Ok(process) => Ok(Running {
                child: Some(child),
                process,
            }),
            Err(error) => {
                if leads_group {
                    // SAFETY: plain numbers. The child has not been waited for, so its number still
                    // names its own process group.
                    unsafe { libc::kill(-(child.id() as libc::pid_t), libc::SIGKILL) };
                }
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    fn communicate(
        &mut self,
        input: &[u8],
        deadline: Option<Instant>,
        written: &mut Written,
    ) -> Result<i32, WaitFailure> {
        let Some(child) = &mut self.child else {
            return Err(WaitFailure::Io(
                "waiting for it",
                io::ErrorKind::NotFound.into(),
            ));
        };
        let status = communicate(child, &self.process, input, deadline, written)?;
        self.child = None;
        Ok(exit_code(status))
    }

    /// Kills the child and waits for it, unless it has already been waited for. Returns the reason
    /// if it had to be left running.
    fn stop(&mut self) -> Option<&'static str> {
        let mut child = self.child.take()?;
        let left = match self.process.kill_all() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Some("it runs as another user")
            }
            _ if self.ends_within(KILLED_WITHIN) => None,
            _ => Some("it was killed but does not end: it is in an uninterruptible system call"),
        };
        match left {
            None => drop(child.wait()),
            // It must be waited for whenever it ends. If no thread can be started, it stays a
            // zombie until this process ends.
            Some(_) => drop(sys::spawn("reaper", move || drop(child.wait()))),
        }
        left
    }

    fn ends_within(&self, time: Duration) -> bool {
        let deadline = Instant::now().checked_add(time);
        let mut ended = [PollFd::new(self.process.as_fd(), PollFlags::POLLIN)];
        !matches!(wait_for(&mut ended, deadline), Err(WaitFailure::TimedOut))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The exit code, or -n for signal n.
fn exit_code(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => -signal,
        (None, None) => status.into_raw(),
    }
}

//! Runs a command, with retries, and logs the outcome.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use tracing::Level;

use super::error::{Error, ProcessExecutionError};
use super::exit_codes::CheckExitCode;
use super::limits::by_number;
use super::log::{LogErrors, log_at};
use super::mask::{into_text, mask_password};
use super::output::Output;
use super::process::Process;
use super::retry::RetryDelay;
use super::sys::{Plan, Running, Step, WaitFailure, Written};

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
        let mut running =
            Running::start(&self.plan).map_err(|(step, error)| self.not_started(step, error))?;
        let process = Process::new(running.handle());
        if let Some(on_execute) = &mut self.on_execute {
            on_execute(&process);
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
            on_completion(&process);
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
                let (limit, value) = by_number(&self.plan.limits, number);
                Error::Limit {
                    cmd,
                    limit,
                    value,
                    source,
                }
            }
            Step::Watch => self.io("watching it", source),
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

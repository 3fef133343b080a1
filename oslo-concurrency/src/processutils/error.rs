//! Errors of commands.

use std::fmt;
use std::io;
use std::time::Duration;

use super::sys;

/// A command ended with an unexpected exit code.
///
/// `cmd`, `stdout` and `stderr` are meant for display: secrets are masked, and invalid UTF-8 is
/// replaced.
///
/// ```
/// use oslo_concurrency::processutils::ProcessExecutionError;
///
/// let error = ProcessExecutionError {
///     exit_code: Some(-9),
///     cmd: Some("sleep 1".into()),
///     ..Default::default()
/// };
/// assert!(error.to_string().contains("Exit code: -9 (signal SIGKILL)"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProcessExecutionError {
    /// The standard output of the command.
    pub stdout: Option<String>,
    /// The standard error of the command.
    pub stderr: Option<String>,
    /// The exit code; -n if signal n ended the command.
    pub exit_code: Option<i32>,
    /// The command.
    pub cmd: Option<String>,
    /// The cause, if more is known than the exit code.
    pub description: Option<String>,
}

impl fmt::Display for ProcessExecutionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.description.as_deref();
        writeln!(f, "{}", description.unwrap_or("The command failed."))?;
        writeln!(f, "Command: {}", self.cmd.as_deref().unwrap_or("None"))?;
        match self.exit_code {
            None => writeln!(f, "Exit code: -")?,
            Some(code) => match signal_of(code) {
                Some(signal) => writeln!(f, "Exit code: {code} (signal {signal})")?,
                None => writeln!(f, "Exit code: {code}")?,
            },
        }
        writeln!(f, "Stdout: {}", Shown(&self.stdout))?;
        write!(f, "Stderr: {}", Shown(&self.stderr))
    }
}

impl std::error::Error for ProcessExecutionError {}

fn signal_of(exit_code: i32) -> Option<&'static str> {
    sys::signal_name(exit_code.checked_neg()?)
}

struct Shown<'a>(&'a Option<String>);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(output) => write!(f, "{output:?}"),
            None => f.write_str("None"),
        }
    }
}

/// The reason why a command failed. Each message names the command, with its secrets masked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command ended with an unexpected exit code.
    #[error(transparent)]
    Failed(#[from] ProcessExecutionError),
    /// The command was still running when the timeout expired.
    #[error(
        "`{cmd}` did not end within {timeout:?} and {}; allow more time, or find out what it \
         waits for\nStdout: {stdout:?}\nStderr: {stderr:?}",
        left_running.map_or("was killed".to_owned(), |why| format!("is still running: {why}"))
    )]
    Timeout {
        /// The command.
        cmd: String,
        /// The reason why it may still be running; `None` if it was killed with its process group.
        left_running: Option<&'static str>,
        /// The timeout.
        timeout: Duration,
        /// Its standard output up to then, masked.
        stdout: String,
        /// Its standard error up to then, masked.
        stderr: String,
    },
    /// The command could not be started.
    #[error("`{cmd}` cannot be started: {source}{hint}")]
    Start {
        /// The command.
        cmd: String,
        /// The likely cause; may be empty.
        hint: String,
        /// The error from the operating system.
        source: io::Error,
    },
    /// The command was started, but its output or its exit code could not be read.
    #[error("`{cmd}` was started, but then {doing} failed: {source}")]
    Io {
        /// The command.
        cmd: String,
        /// The operation that failed.
        doing: &'static str,
        /// The error from the operating system.
        source: io::Error,
    },
    /// The command has ended, and its exit code is lost: this process ignores SIGCHLD, or another
    /// part of it has waited for the command. The command is not retried, whatever `attempts` is,
    /// because it may have succeeded.
    #[error(
        "`{cmd}` has ended, but its exit code is lost: this process ignores SIGCHLD or waits for \
         every child; restore the default action of SIGCHLD and wait for known children only, or \
         use Linux 6.15 or later\nStdout: {stdout:?}\nStderr: {stderr:?}"
    )]
    ExitCodeLost {
        /// The command.
        cmd: String,
        /// Its standard output, masked.
        stdout: String,
        /// Its standard error, masked.
        stderr: String,
    },
    /// A limit of `prlimit` could not be set, so the command was not run.
    #[error(
        "`{cmd}` was not run: {limit} cannot be set to {value}: {source}; raising it above the \
         hard limit of this process requires privileges"
    )]
    Limit {
        /// The command.
        cmd: String,
        /// The field of [`ProcessLimits`](super::ProcessLimits).
        limit: &'static str,
        /// Its value.
        value: u64,
        /// The error from the operating system.
        source: io::Error,
    },
    /// The `preexec` function failed in the child, so the command was not run.
    #[error("`{cmd}` was not run: its preexec function failed: {source}")]
    Preexec {
        /// The command.
        cmd: String,
        /// The error that the function returned, reduced to its error number.
        source: io::Error,
    },
    /// `run_as_root` was set, this process is not root, and there is no `root_helper`.
    #[error(
        "`{cmd}` must run as root, and this process does not: set a root_helper, such as \"sudo\""
    )]
    NoRootWrapSpecified {
        /// The command.
        cmd: String,
    },
    /// An option was given that this operating system lacks, so the command was not run.
    #[error("`{cmd}` was not run: {option} is not available on this operating system: {advice}")]
    Unavailable {
        /// The command.
        cmd: String,
        /// The option, such as `preexec`.
        option: &'static str,
        /// The alternative.
        advice: &'static str,
    },
    /// An option has an invalid value.
    #[error("`{cmd}`: {argument}: {reason}")]
    InvalidArgument {
        /// The command.
        cmd: String,
        /// The option.
        argument: &'static str,
        /// The problem with it, and what to do.
        reason: String,
    },
    /// The SSH connection failed.
    #[cfg(feature = "ssh")]
    #[error("`{cmd}` over SSH: {source}; the connection may be unusable, connect again")]
    Ssh {
        /// The command.
        cmd: String,
        /// The error from libssh2.
        source: ssh2::Error,
    },
}

impl Error {
    /// The [`ProcessExecutionError`], if the command ran and ended with an unexpected exit code.
    ///
    /// ```
    /// use oslo_concurrency::processutils::execute;
    ///
    /// let error = execute(["sh", "-c", "exit 3"]).run().unwrap_err();
    /// assert_eq!(error.failed().and_then(|failed| failed.exit_code), Some(3));
    /// ```
    pub fn failed(&self) -> Option<&ProcessExecutionError> {
        match self {
            Error::Failed(failed) => Some(failed),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_said_to_be_none() {
        let message = ProcessExecutionError::default().to_string();
        assert_eq!(
            message,
            "The command failed.\nCommand: None\nExit code: -\nStdout: None\nStderr: None"
        );
    }

    #[test]
    fn everything_that_is_known_is_shown() {
        let error = ProcessExecutionError {
            stdout: Some("out\n\"x\"".into()),
            stderr: Some("err".into()),
            exit_code: Some(0),
            cmd: Some("telinit 6".into()),
            description: Some("It went away".into()),
        };
        assert_eq!(
            error.to_string(),
            "It went away\nCommand: telinit 6\nExit code: 0\n\
             Stdout: \"out\\n\\\"x\\\"\"\nStderr: \"err\""
        );
    }

    #[test]
    fn a_signal_has_its_name() {
        let ended = |code| {
            let exit_code = Some(code);
            ProcessExecutionError {
                exit_code,
                ..Default::default()
            }
            .to_string()
        };
        let name = if cfg!(unix) { " (signal SIGTERM)" } else { "" };
        assert!(ended(-15).contains(&format!("Exit code: -15{name}\n")));
        assert!(ended(15).contains("Exit code: 15\n"));
        assert!(ended(i32::MIN).contains("Exit code: -2147483648\n"));
    }

    #[test]
    fn a_copy_says_the_same() {
        let error = ProcessExecutionError {
            exit_code: Some(42),
            stdout: Some("o".into()),
            ..Default::default()
        };
        let copy = error.clone();
        assert_eq!(copy, error);
        let sent = std::thread::spawn(move || copy.to_string()).join().unwrap();
        assert_eq!(sent, error.to_string());
    }
}

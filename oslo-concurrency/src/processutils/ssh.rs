//! Commands on other hosts, over a connection that the caller has opened and authenticated.

use std::io::Read;
use std::time::{Duration, Instant};

use ssh2::{BlockDirections, Channel, ErrorCode, Session};
use tracing::Level;

use super::attempts::readable;
use super::error::{Error, ProcessExecutionError};
use super::exit_codes::CheckExitCode;
use super::log::log_at;
use super::mask::{mask_password, mask_password_bytes};
use super::output::Output;
use super::read_available::read_available;
use super::sys::{self, Written};

/// A command line for the shell of a remote host, to be run by [`SshExecute::run`].
///
/// SSH has no list of arguments: the remote user's shell interprets the line. Build it with
/// [`shell_join`](super::shell_join), which quotes each argument.
///
/// ```no_run
/// use oslo_concurrency::processutils::{shell_join, ssh_execute};
///
/// let mut session = ssh2::Session::new()?;
/// session.set_tcp_stream(std::net::TcpStream::connect("storage-1:22")?);
/// session.handshake()?; // compare session.host_key() with what you know of the host
/// session.userauth_agent("cinder")?;
/// let listing = ssh_execute(&session, shell_join(["ls", "--", "it's; here"])).run()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// No other thread may use the session during the call.
pub fn ssh_execute(session: &Session, command: impl Into<String>) -> SshExecute<'_> {
    SshExecute {
        session,
        command: command.into(),
        refused: None,
        check_exit_code: CheckExitCode::default(),
        timeout: None,
        sanitize_stdout: true,
    }
}

/// A remote command and its options; created by [`ssh_execute`].
#[must_use = "the command does not run until `run` or `run_binary` is called"]
pub struct SshExecute<'a> {
    session: &'a Session,
    command: String,
    refused: Option<(&'static str, &'static str)>,
    check_exit_code: CheckExitCode,
    timeout: Option<Duration>,
    sanitize_stdout: bool,
}

/// The reason why the end of the command was not observed.
enum WaitFailure {
    TimedOut,
    Ssh(ssh2::Error),
}

/// The end of a remote command.
enum Ended {
    Code(i32),
    Signal(String),
}

impl<'a> SshExecute<'a> {
    /// Rejected by [`SshExecute::run`], as in oslo: remote commands have no input.
    pub fn process_input(mut self, _input: impl Into<Vec<u8>>) -> Self {
        self.refused = Some((
            "process_input",
            "not supported over SSH: copy a file first, or put the input into the command",
        ));
        self
    }

    /// Rejected by [`SshExecute::run`], as in oslo: servers ignore variables unless configured to
    /// accept them.
    pub fn addl_env<N, V>(mut self, _variables: impl IntoIterator<Item = (N, V)>) -> Self {
        self.refused = Some((
            "addl_env",
            "not supported over SSH: put `env NAME=value` before the command",
        ));
        self
    }

    /// The exit codes that are not an error, as in
    /// [`Execute::check_exit_code`](super::Execute::check_exit_code).
    pub fn check_exit_code(mut self, codes: impl Into<CheckExitCode>) -> Self {
        self.check_exit_code = codes.into();
        self
    }

    /// Maximum time for the command. There is no limit by default.
    ///
    /// When the timeout expires, [`Error::Timeout`] is returned and the connection is shut down,
    /// because SSH has no reliable way to end a remote command or to close its channel. Connect
    /// again before the next command.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// If `true`, the default, masks secrets in the returned standard output. Secrets in the
    /// standard error and in errors are always masked.
    pub fn sanitize_stdout(mut self, sanitize: bool) -> Self {
        self.sanitize_stdout = sanitize;
        self
    }

    /// Runs the command and returns its output as text, with invalid UTF-8 replaced by `U+FFFD`.
    ///
    /// # Errors
    /// Returns [`Error::Failed`] for an exit code that is not allowed or for a signal,
    /// [`Error::Timeout`], [`Error::InvalidArgument`] for an option that SSH does not support, and
    /// [`Error::Ssh`] if the connection fails. If the server closes the channel without an exit
    /// code, the code counts as 0, because libssh2 does not distinguish the two.
    pub fn run(self) -> Result<Output, Error> {
        self.run_binary().map(Output::into_text)
    }

    /// Runs the command and returns its output as bytes.
    ///
    /// # Errors
    /// The same as [`SshExecute::run`].
    pub fn run_binary(self) -> Result<Output<Vec<u8>>, Error> {
        let cmd = mask_password(&self.command).into_owned();
        self.check(&cmd)?;
        log_at!(Level::DEBUG, command = cmd, "running over SSH");
        let mut written = Written::default();
        let ended = match self.talk(&mut written) {
            Ok(ended) => ended,
            Err(WaitFailure::Ssh(source)) => return Err(Error::Ssh { cmd, source }),
            Err(WaitFailure::TimedOut) => {
                log_at!(
                    Level::DEBUG,
                    command = cmd,
                    "timed out, the connection is shut down"
                );
                return Err(Error::Timeout {
                    cmd,
                    left_running: Some("it runs on another host"),
                    timeout: self.timeout.unwrap_or_default(),
                    stdout: readable(written.stdout),
                    stderr: readable(written.stderr),
                });
            }
        };
        let (exit_code, description) = match ended {
            Ended::Code(code) => (Some(code), None),
            Ended::Signal(name) => {
                let signal = sys::signal_number(&format!("SIG{name}"));
                let description = format!("The command was ended by SIG{name}.");
                (signal.map(|signal| -signal), Some(description))
            }
        };
        log_at!(Level::DEBUG, command = cmd, exit_code, "ended");
        let accepted = match exit_code {
            Some(code) => self.check_exit_code.accepts(code),
            None => self.check_exit_code == CheckExitCode::Any,
        };
        if !accepted {
            return Err(Error::Failed(ProcessExecutionError {
                stdout: Some(readable(written.stdout)),
                stderr: Some(readable(written.stderr)),
                exit_code,
                cmd: Some(cmd),
                description,
            }));
        }
        Ok(Output {
            stdout: match self.sanitize_stdout {
                true => mask_password_bytes(&written.stdout).into_owned(),
                false => written.stdout,
            },
            stderr: mask_password_bytes(&written.stderr).into_owned(),
            exit_code: exit_code.unwrap_or(-1),
        })
    }

    fn check(&self, cmd: &str) -> Result<(), Error> {
        let (argument, reason) = match self.refused {
            Some(refused) => refused,
            None if self.command.contains('\0') => (
                "command",
                "it contains a NUL, which no command line can carry",
            ),
            None if !self.session.authenticated() => (
                "session",
                "it is not authenticated: connect and log in first",
            ),
            None => return Ok(()),
        };
        Err(Error::InvalidArgument {
            cmd: cmd.to_owned(),
            argument,
            reason: reason.to_owned(),
        })
    }

    fn talk(&self, written: &mut Written) -> Result<Ended, WaitFailure> {
        let _restored = NonBlocking::new(self.session);
        let line = Line {
            session: self.session,
            deadline: self
                .timeout
                .and_then(|timeout| Instant::now().checked_add(timeout)),
        };
        let mut channel = line.until_done(|| self.session.channel_session())?;
        let ended = line.converse(&mut channel, &self.command, written);
        if matches!(ended, Err(WaitFailure::TimedOut)) {
            // Dropping the channel would wait for the remote command.
            line.shut_down();
        }
        ended
    }
}

/// Makes the session non-blocking until this is dropped.
struct NonBlocking<'a> {
    session: &'a Session,
    was_blocking: bool,
}

impl<'a> NonBlocking<'a> {
    fn new(session: &'a Session) -> Self {
        let was_blocking = session.is_blocking();
        session.set_blocking(false);
        NonBlocking {
            session,
            was_blocking,
        }
    }
}

impl Drop for NonBlocking<'_> {
    fn drop(&mut self) {
        self.session.set_blocking(self.was_blocking);
    }
}

/// The connection, and the deadline.
struct Line<'a> {
    session: &'a Session,
    deadline: Option<Instant>,
}

impl Line<'_> {
    fn converse(
        &self,
        channel: &mut Channel,
        command: &str,
        written: &mut Written,
    ) -> Result<Ended, WaitFailure> {
        self.until_done(|| channel.exec(command))?;
        self.until_done(|| channel.send_eof())?;
        loop {
            let before = written.stdout.len() + written.stderr.len();
            self.read_some(channel, &mut written.stdout)?;
            self.read_some(&mut channel.stderr(), &mut written.stderr)?;
            let came = written.stdout.len() + written.stderr.len() > before;
            match came {
                true if self.is_over() => return Err(WaitFailure::TimedOut),
                true => {}
                false if channel.eof() => break,
                false => self.wait()?,
            }
        }
        self.until_done(|| channel.close())?;
        self.until_done(|| channel.wait_close())?;
        match channel.exit_signal().map_err(WaitFailure::Ssh)?.exit_signal {
            Some(name) => Ok(Ended::Signal(name)),
            None => Ok(Ended::Code(
                channel.exit_status().map_err(WaitFailure::Ssh)?,
            )),
        }
    }

    fn until_done<T>(
        &self,
        mut step: impl FnMut() -> Result<T, ssh2::Error>,
    ) -> Result<T, WaitFailure> {
        /// `LIBSSH2_ERROR_EAGAIN`.
        const AGAIN: ErrorCode = ErrorCode::Session(-37);
        loop {
            match step() {
                Err(error) if error.code() == AGAIN => self.wait()?,
                other => return other.map_err(WaitFailure::Ssh),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    fn read_some(&self, stream: &mut impl Read, into: &mut Vec<u8>) -> Result<(), WaitFailure> {
        match read_available(stream, into) {
            Ok(_) => Ok(()),
            Err(_) => {
                let error = ssh2::Error::last_session_error(self.session);
                Err(WaitFailure::Ssh(error.unwrap_or_else(ssh2::Error::unknown)))
            }
        }
    }

    /// Waits until the connection can go on.
    fn wait(&self) -> Result<(), WaitFailure> {
        let (read, write) = match self.session.block_directions() {
            BlockDirections::Outbound => (false, true),
            BlockDirections::Both => (true, true),
            BlockDirections::Inbound | BlockDirections::None => (true, false),
        };
        sys::socket::wait(self.session, read, write, self.deadline).map_err(|missed| match missed {
            sys::WaitFailure::TimedOut => WaitFailure::TimedOut,
            sys::WaitFailure::Io(..) | sys::WaitFailure::ExitCodeLost => {
                WaitFailure::Ssh(ssh2::Error::unknown())
            }
        })
    }

    fn shut_down(&self) {
        sys::socket::shut_down(self.session);
    }
}

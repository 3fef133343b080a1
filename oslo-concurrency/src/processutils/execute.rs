//! Options of a command.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tracing::Level;

use super::attempts::{Attempts, Callback};
use super::error::Error;
use super::exit_codes::CheckExitCode;
use super::limits::ProcessLimits;
use super::log::LogErrors;
use super::mask::{mask_command, mask_shell};
use super::output::Output;
use super::process::Process;
use super::retry::RetryDelay;
use super::root::behind_helper;
use super::sys::{self, Asked, Plan, Preexec};

/// A program and its arguments, to be run by [`Execute::run`]. No shell is involved unless
/// [`Execute::shell`] is set: an argument is passed on unchanged, whatever it contains.
///
/// ```
/// use oslo_concurrency::processutils::execute;
///
/// let output = execute(["echo", "a;", "$(reboot)"]).arg("b").run()?;
/// assert_eq!(output.stdout, "a; $(reboot) b\n");
/// # Ok::<(), oslo_concurrency::processutils::Error>(())
/// ```
pub fn execute<'a, S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Execute<'a> {
    Execute {
        words: command
            .into_iter()
            .map(|word| word.as_ref().to_owned())
            .collect(),
        shell: false,
        cwd: None,
        input: Vec::new(),
        environment: None,
        check_exit_code: CheckExitCode::default(),
        attempts: 1,
        delay: RetryDelay::default(),
        run_as_root: false,
        root_helper: String::new(),
        log_errors: LogErrors::default(),
        level: Level::DEBUG,
        timeout: None,
        limits: ProcessLimits::default(),
        preexec: None,
        on_execute: None,
        on_completion: None,
        discard_warnings: false,
    }
}

/// A command and its options; created by [`execute`].
#[must_use = "the command does not run until `run`, `run_binary` or `trycmd` is called"]
pub struct Execute<'a> {
    words: Vec<OsString>,
    shell: bool,
    cwd: Option<PathBuf>,
    input: Vec<u8>,
    environment: Option<Vec<(OsString, OsString)>>,
    check_exit_code: CheckExitCode,
    attempts: u32,
    delay: RetryDelay,
    run_as_root: bool,
    root_helper: String,
    log_errors: LogErrors,
    level: Level,
    timeout: Option<Duration>,
    limits: ProcessLimits,
    preexec: Option<Preexec>,
    on_execute: Callback<'a>,
    on_completion: Callback<'a>,
    discard_warnings: bool,
}

impl<'a> Execute<'a> {
    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.words.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.words
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The working directory of the command. A relative path of the program is resolved there.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// The standard input of the command, the same for each attempt. The default is empty.
    pub fn process_input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// The whole environment of the command: it inherits nothing from this process, not even
    /// `PATH`. By default it inherits everything.
    pub fn env_variables<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        self.environment = Some(
            variables
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        );
        self
    }

    /// The exit codes that are not an error: `true`, the default, for 0 only; `false` for all; a
    /// number; or a list. -n stands for signal n.
    pub fn check_exit_code(mut self, codes: impl Into<CheckExitCode>) -> Self {
        self.check_exit_code = codes.into();
        self
    }

    /// Maximum number of attempts; the default is 1. An exit code that is an error, or an error
    /// from the operating system, leads to the next attempt. A timeout, a limit that cannot be set
    /// and a failed `preexec` do not.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// The pause between two attempts: `true`, the default, for a random time of 0.2 to 2 seconds;
    /// `false` for none; or a `Duration`.
    pub fn delay_on_retry(mut self, delay: impl Into<RetryDelay>) -> Self {
        self.delay = delay.into();
        self
    }

    /// Runs the command as root: by the `root_helper` if this process is not root. Not available on
    /// Windows.
    pub fn run_as_root(mut self, as_root: bool) -> Self {
        self.run_as_root = as_root;
        self
    }

    /// The command that runs another one as root, such as `sudo -n`.
    pub fn root_helper(mut self, helper: impl Into<String>) -> Self {
        self.root_helper = helper.into();
        self
    }

    /// If `true`, `/bin/sh` runs the first word as a script; the others become its `$0`, `$1`, …
    ///
    /// Do not put untrusted text into the script. As a further word it is safe:
    ///
    /// ```
    /// use oslo_concurrency::processutils::execute;
    ///
    /// let script = r#"echo "$1" | tr a-z A-Z"#;
    /// let output = execute([script, "sh", "a; $(reboot)"]).shell(true).run()?;
    /// assert_eq!(output.stdout, "A; $(REBOOT)\n");
    /// # Ok::<(), oslo_concurrency::processutils::Error>(())
    /// ```
    ///
    /// On Windows it is `cmd /C`, which gets the other words after the script. A word in which
    /// `cmd` would read more than an argument is [`Error::Unavailable`].
    pub fn shell(mut self, shell: bool) -> Self {
        self.shell = shell;
        self
    }

    /// The attempts after which the output of a failed command is logged. The default is none.
    pub fn log_errors(mut self, when: LogErrors) -> Self {
        self.log_errors = when;
        self
    }

    /// The level of all log events about the command. The default is `DEBUG`.
    pub fn loglevel(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Maximum time of each attempt, until the command has ended and its outputs are closed. There
    /// is no limit by default.
    ///
    /// When the timeout expires, the command is killed with SIGKILL, together with its descendants
    /// in the same process group, and [`Error::Timeout`] is returned. A process that has not ended
    /// 5 s later, such as one that hangs in a network file system, is left running; the error says
    /// so.
    ///
    /// A command with a timeout has a process group of its own, so that Ctrl-C on a terminal does
    /// not reach it. On Windows it has a job object, out of which nothing that it starts can get.
    ///
    /// On Linux before 6.9, in a program that ignores SIGCHLD, the descendants of a command that
    /// has ended already are not killed: its number, which is that of the group, may have been
    /// given to another process.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits on what it may use. Not on Windows.
    pub fn prlimit(mut self, limits: ProcessLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Called after the start of each attempt, before the wait for its end, with a handle that can
    /// be kept to stop the command.
    pub fn on_execute(mut self, callback: impl FnMut(&Process) + 'a) -> Self {
        self.on_execute = Some(Box::new(callback));
        self
    }

    /// Called after the end of each attempt that was started, successful or not.
    pub fn on_completion(mut self, callback: impl FnMut(&Process) + 'a) -> Self {
        self.on_completion = Some(Box::new(callback));
        self
    }

    /// A function that is called in the child just before it becomes the program, ahead of the
    /// limits; an error of it is [`Error::Preexec`]. Not on Windows.
    ///
    /// # Safety
    /// As for [`CommandExt::pre_exec`](https://doc.rust-lang.org/std/os/unix/process/trait.CommandExt.html#tymethod.pre_exec): the child is
    /// a copy of one thread of a process that may have had many. The function must not allocate,
    /// take a lock, or call anything that is not async-signal-safe. It must return quickly and must
    /// not fork a process that stays: `run` waits for both, and the timeout does not count before
    /// the program runs.
    pub unsafe fn preexec(
        mut self,
        function: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.preexec = Some(Arc::new(function));
        self
    }

    /// If `true`, [`Execute::trycmd`] omits the standard error of a command that succeeds.
    pub fn discard_warnings(mut self, discard: bool) -> Self {
        self.discard_warnings = discard;
        self
    }

    /// Runs the command and returns its output as text, with invalid UTF-8 replaced by `U+FFFD`.
    ///
    /// # Errors
    /// Returns [`Error::Failed`] for an exit code that [`Execute::check_exit_code`] does not allow,
    /// and the other variants of [`Error`].
    pub fn run(self) -> Result<Output, Error> {
        self.run_binary().map(Output::into_text)
    }

    /// Runs the command and returns its output as bytes.
    ///
    /// # Errors
    /// The same as [`Execute::run`].
    pub fn run_binary(self) -> Result<Output<Vec<u8>>, Error> {
        self.understood()?.run()
    }

    /// Runs the command and returns its standard output and its standard error. If the command
    /// fails, the first is empty and the second is the message of the error.
    ///
    /// ```
    /// use oslo_concurrency::processutils::execute;
    ///
    /// let careful = execute(["sh", "-c", "echo done; echo careful >&2"]).discard_warnings(true);
    /// let (out, err) = careful.trycmd()?;
    /// assert_eq!((out.as_str(), err.as_str()), ("done\n", ""));
    /// let (_, err) = execute(["false"]).discard_warnings(true).trycmd()?;
    /// assert!(err.contains("Exit code: 1"));
    /// # Ok::<(), oslo_concurrency::processutils::Error>(())
    /// ```
    ///
    /// # Errors
    /// The same as [`Execute::run`], except for [`Error::Failed`].
    pub fn trycmd(self) -> Result<(String, String), Error> {
        let discard = self.discard_warnings;
        match self.run() {
            Ok(output) if discard => Ok((output.stdout, String::new())),
            Ok(output) => Ok((output.stdout, output.stderr)),
            Err(Error::Failed(failed)) => Ok((String::new(), failed.to_string())),
            Err(error) => Err(error),
        }
    }

    fn understood(self) -> Result<Attempts<'a>, Error> {
        self.check()?;
        self.check_available()?;
        let not_root = self.run_as_root && !sys::is_root();
        let words = match not_root {
            false => self.words,
            true if self.root_helper.trim().is_empty() => {
                let cmd = shown(&self.words, self.shell);
                return Err(Error::NoRootWrapSpecified { cmd });
            }
            true => {
                let cmd = shown(&self.words, self.shell);
                behind_helper(&self.root_helper, self.words, self.shell).map_err(|reason| {
                    Error::InvalidArgument {
                        cmd,
                        argument: "root_helper",
                        reason,
                    }
                })?
            }
        };
        Ok(Attempts {
            cmd: shown(&words, self.shell),
            plan: Plan {
                words,
                shell: self.shell,
                cwd: self.cwd,
                environment: self.environment,
                own_group: self.timeout.is_some(),
                limits: self.limits.values(),
                preexec: self.preexec,
            },
            input: self.input,
            check_exit_code: self.check_exit_code,
            attempts: self.attempts,
            delay: self.delay,
            timeout: self.timeout,
            log_errors: self.log_errors,
            level: self.level,
            on_execute: self.on_execute,
            on_completion: self.on_completion,
        })
    }

    fn check_available(&self) -> Result<(), Error> {
        let asked = Asked {
            preexec: self.preexec.is_some(),
            prlimit: self.limits != ProcessLimits::default(),
            as_root: self.run_as_root,
            script_arguments: match self.shell {
                true => self.words.get(1..).unwrap_or_default(),
                false => &[],
            },
        };
        match sys::unavailable(&asked) {
            None => Ok(()),
            Some((option, advice)) => Err(Error::Unavailable {
                cmd: shown(&self.words, self.shell),
                option,
                advice,
            }),
        }
    }

    fn check(&self) -> Result<(), Error> {
        let has_nul = |text: &OsString| text.as_encoded_bytes().contains(&0);
        let names = self.environment.iter().flatten();
        let complaint = if self.words.is_empty() {
            ("command", "it is empty: name a program")
        } else if self.words.iter().any(has_nul) {
            ("command", "it contains a NUL, which no argument can carry")
        } else if self.attempts == 0 {
            (
                "attempts",
                "0 attempts would never run the command: set at least 1",
            )
        } else if names
            .clone()
            .any(|(name, value)| has_nul(name) || has_nul(value))
        {
            (
                "env_variables",
                "one contains a NUL, which no variable can carry",
            )
        } else if names
            .clone()
            .any(|(name, _)| name.is_empty() || name.as_encoded_bytes().contains(&b'='))
        {
            ("env_variables", "a name is empty or contains `=`")
        } else {
            return Ok(());
        };
        Err(Error::InvalidArgument {
            cmd: shown(&self.words, self.shell),
            argument: complaint.0,
            reason: complaint.1.to_owned(),
        })
    }
}

/// The command line for messages.
fn shown(words: &[OsString], shell: bool) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    match (words.split_first(), shell) {
        (Some((script, rest)), true) => mask_shell(script, rest),
        _ => mask_command(&words),
    }
}

impl fmt::Debug for Execute<'_> {
    /// Shows the command with its secrets masked, and neither its input nor its environment.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute")
            .field("command", &shown(&self.words, self.shell))
            .field("shell", &self.shell)
            .finish_non_exhaustive()
    }
}

//! What can be said about a command before it runs.

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

/// A program and its arguments, to be run by [`Execute::run`]. No shell reads them, unless
/// [`Execute::shell`] is asked for: an argument is one argument, whatever it contains.
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

/// A command that is yet to run, and how: made by [`execute`].
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
    /// One more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.words.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.words
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// The directory that it runs in; a relative program is looked for from there.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// What it reads from its standard input, again for each attempt. Without any it reads an end
    /// of file.
    pub fn process_input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Its whole environment: nothing of ours remains, `PATH` included. Without this it has ours.
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

    /// Which exit codes are no error: `true`, the default, only 0; `false` every one; a number; a
    /// list. Minus n is signal n.
    pub fn check_exit_code(mut self, codes: impl Into<CheckExitCode>) -> Self {
        self.check_exit_code = codes.into();
        self
    }

    /// How often to try, 1 by default. An exit code that is an error, or an error of the operating
    /// system, leads to the next attempt; a timeout, a limit that cannot be set and a failed
    /// `preexec` do not.
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// How long to wait before another attempt: `true`, the default, 0.2 to 2 seconds at random;
    /// `false` not at all; or a `Duration`.
    pub fn delay_on_retry(mut self, delay: impl Into<RetryDelay>) -> Self {
        self.delay = delay.into();
        self
    }

    /// Whether it needs to be root: if this process is not, it is run by the `root_helper`. Not on
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

    /// Whether `/bin/sh` reads the first word as a script; the others become its `$0`, `$1`, …
    ///
    /// Nothing that comes from elsewhere belongs in the script. As a further word it is safe:
    ///
    /// ```
    /// use oslo_concurrency::processutils::execute;
    ///
    /// let output = execute([r#"echo "$1" | tr a-z A-Z"#, "sh", "a; $(reboot)"]).shell(true).run()?;
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

    /// When the output of a command that failed is logged; never by default.
    pub fn log_errors(mut self, when: LogErrors) -> Self {
        self.log_errors = when;
        self
    }

    /// The level of everything that is logged about it; `DEBUG` by default.
    pub fn loglevel(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How long each attempt may take: until the command has ended and its outputs are closed. Then
    /// it is killed with SIGKILL, with everything that it has started and that has not left its
    /// process group, and [`Error::Timeout`] returned. Without this it may take forever.
    ///
    /// A process that SIGKILL does not end within 5 s, as one that hangs in a network file system,
    /// is left, and the error says so.
    ///
    /// A command with a timeout has a process group of its own, so that Ctrl-C on a terminal does
    /// not reach it. On Windows it has a job object, out of which nothing that it starts can get.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Limits on what it may use. Not on Windows.
    pub fn prlimit(mut self, limits: ProcessLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Called after the start of each attempt, before it is waited for: to note or stop it from
    /// elsewhere.
    pub fn on_execute(mut self, callback: impl FnMut(&Process) + 'a) -> Self {
        self.on_execute = Some(Box::new(callback));
        self
    }

    /// Called after the end of each attempt that was started, however it ended.
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
    /// nor take a lock, nor call anything that is not async-signal-safe. It must not take long, nor
    /// fork a process that stays: `run` waits for both, and the timeout does not count before the
    /// program runs.
    pub unsafe fn preexec(
        mut self,
        function: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.preexec = Some(Arc::new(function));
        self
    }

    /// Whether [`Execute::trycmd`] leaves out what a command that succeeds writes to its standard
    /// error.
    pub fn discard_warnings(mut self, discard: bool) -> Self {
        self.discard_warnings = discard;
        self
    }

    /// Runs it, and returns what it wrote as text, in which what is not UTF-8 is replaced by
    /// `U+FFFD`.
    ///
    /// # Errors
    /// [`Error::Failed`] for an exit code that [`Execute::check_exit_code`] does not allow; the
    /// others of [`Error`].
    pub fn run(self) -> Result<Output, Error> {
        self.run_binary().map(Output::into_text)
    }

    /// Runs it, and returns what it wrote as bytes.
    ///
    /// # Errors
    /// As [`Execute::run`].
    pub fn run_binary(self) -> Result<Output<Vec<u8>>, Error> {
        self.understood()?.run()
    }

    /// Runs it, and returns what it wrote to its standard output, and to its standard error. The
    /// latter tells whether it failed: the message of the error is there then, and the former is
    /// empty.
    ///
    /// ```
    /// use oslo_concurrency::processutils::execute;
    ///
    /// let (out, err) = execute(["sh", "-c", "echo done; echo careful >&2"]).discard_warnings(true).trycmd()?;
    /// assert_eq!((out.as_str(), err.as_str()), ("done\n", ""));
    /// let (_, err) = execute(["false"]).discard_warnings(true).trycmd()?;
    /// assert!(err.contains("Exit code: 1"));
    /// # Ok::<(), oslo_concurrency::processutils::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Execute::run`], but for [`Error::Failed`].
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
            ("attempts", "it would never run: ask for at least 1")
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

/// The command for people.
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
    /// The command with its secrets masked; its input and environment are not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute")
            .field("command", &shown(&self.words, self.shell))
            .field("shell", &self.shell)
            .finish_non_exhaustive()
    }
}

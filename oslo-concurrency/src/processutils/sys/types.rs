//! Types of the seam that are the same on every platform.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

pub(crate) type Preexec = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// The limits of a command by their numbers, 0 to 9: address space, core file, processor time, data,
/// file, locked memory, descriptors, processes, resident set, stack.
pub(crate) type Limits = [Option<u64>; 10];

/// Everything that is settled before a child is started, for all attempts.
pub(crate) struct Plan {
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    pub(crate) shell: bool,
    pub(crate) cwd: Option<PathBuf>,
    /// Its whole environment; `None` for the environment of this process.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
    /// The child and its descendants can be ended together.
    pub(crate) own_group: bool,
    pub(crate) limits: Limits,
    #[cfg_attr(windows, expect(dead_code, reason = "refused before it gets here"))]
    pub(crate) preexec: Option<Preexec>,
}

impl Plan {
    /// Sets the pipes, the directory and the environment of the child.
    pub(crate) fn apply_to(&self, command: &mut Command) {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        if let Some(environment) = &self.environment {
            command.env_clear();
            command.envs(environment.iter().map(|(name, value)| (name, value)));
        }
    }
}

/// The options that some system lacks.
#[cfg_attr(unix, expect(dead_code, reason = "Unix has all of them"))]
pub(crate) struct Asked<'a> {
    pub(crate) preexec: bool,
    pub(crate) prlimit: bool,
    pub(crate) as_root: bool,
    /// The words after the script of a shell.
    pub(crate) script_arguments: &'a [OsString],
}

/// The step at which a start failed.
#[cfg_attr(windows, expect(dead_code, reason = "nothing of ours runs in a child"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The exec itself, or the change of directory.
    Exec,
    Preexec,
    /// The limit with this number.
    Limit(usize),
    /// It was started, could not be watched, and was ended.
    Watch,
}

/// The output of a child so far.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// The reason why the end of a child was not observed.
#[derive(Debug)]
pub(crate) enum WaitFailure {
    TimedOut,
    /// The child has ended, and its exit code is lost.
    ExitCodeLost,
    Io(&'static str, io::Error),
}

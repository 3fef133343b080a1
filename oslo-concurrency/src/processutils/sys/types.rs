//! Types of the seam that are the same on every platform.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

pub(crate) type Preexec = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// The limits of a command by their numbers, 0 to 9: address space, core file, processor time, data,
/// file, locked memory, descriptors, processes, resident set, stack.
pub(crate) type Limits = [Option<u64>; 10];

/// Everything about a child that is settled before it is started, as often as there are attempts.
pub(crate) struct Plan {
    /// The program and its arguments.
    pub(crate) words: Vec<OsString>,
    pub(crate) shell: bool,
    pub(crate) cwd: Option<PathBuf>,
    /// Its whole environment; `None` is ours.
    pub(crate) environment: Option<Vec<(OsString, OsString)>>,
    /// What it starts can be ended with it.
    pub(crate) own_group: bool,
    pub(crate) limits: Limits,
    #[cfg_attr(windows, expect(dead_code, reason = "refused before it gets here"))]
    pub(crate) preexec: Option<Preexec>,
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
    /// Nothing of ours: the exec, or a change of the directory.
    Exec,
    Preexec,
    /// The limit with this number.
    Limit(usize),
    /// It was started, could not be watched, and was ended.
    Watch,
}

/// What a child has written so far.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

/// Why the child's end was not seen.
#[derive(Debug)]
pub(crate) enum WaitFailure {
    TimedOut,
    /// It has ended, and nobody knows how.
    ExitCodeLost,
    Io(&'static str, io::Error),
}

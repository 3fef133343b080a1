//! Starts a child: the steps between fork and exec, and the report of a step that fails.

use std::ffi::OsString;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use nix::fcntl::OFlag;
use nix::unistd::{pipe2, read};

use super::limits::ProcessLimits;
use super::reaped;

pub(super) type Preexec = Arc<dyn Fn() -> io::Result<()> + Send + Sync>;

/// Everything that is settled before a child is started, for all attempts.
pub(super) struct Plan {
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
    pub(super) shell: bool,
    pub(super) cwd: Option<PathBuf>,
    /// Its whole environment; `None` for the environment of this process.
    pub(super) environment: Option<Vec<(OsString, OsString)>>,
    pub(super) own_group: bool,
    pub(super) limits: ProcessLimits,
    pub(super) preexec: Option<Preexec>,
}

/// The step that failed in the child before exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The exec itself, or the change of directory.
    Exec,
    Preexec,
    /// The limit with this number.
    Limit(usize),
}

impl Plan {
    /// Starts the child. Also returns its pidfd if the child may be reaped before the parent can
    /// open one.
    pub(super) fn start(&self) -> Result<(Child, Option<OwnedFd>), (Step, io::Error)> {
        let at_exec = |error| (Step::Exec, error);
        let mut command = self.command().map_err(at_exec)?;
        let (report, report_to) =
            pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK).map_err(|errno| at_exec(errno.into()))?;
        let (preexec, limits, report_fd) =
            (self.preexec.clone(), self.limits, report_to.as_raw_fd());
        let pidfds = match reaped::sigchld_is_ignored() {
            true => Some(UnixDatagram::pair().map_err(at_exec)?),
            false => None,
        };
        let pidfd_to = pidfds.as_ref().map(|(_, to)| to.as_raw_fd());
        // SAFETY: `prepare` makes only async-signal-safe calls, apart from the `preexec` function,
        // for which its caller is responsible; it does not allocate and takes no lock. `report_to`
        // and `pidfds` outlive the spawn.
        unsafe {
            command.pre_exec(move || {
                pidfd_to.inspect(|to| reaped::send_own_pidfd(*to));
                prepare(preexec.as_ref(), &limits, report_fd)
            });
        }
        let spawned = command.spawn();
        drop(report_to);
        let child = spawned.map_err(|error| (failed_step(&report), error))?;
        let pidfd = pidfds.and_then(|(from, _)| reaped::receive_pidfd(&from));
        Ok((child, pidfd))
    }

    fn command(&self) -> io::Result<Command> {
        let (first, rest) = self
            .words
            .split_first()
            .ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = match self.shell {
            true => {
                let mut shell = Command::new("/bin/sh");
                shell.arg("-c").arg(first);
                shell
            }
            false => Command::new(first),
        };
        command
            .args(rest)
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
        if self.own_group {
            command.process_group(0);
        }
        Ok(command)
    }
}

// ---- in the child: only async-signal-safe calls ----

const REPORT_PREEXEC: u8 = u8::MAX;

fn prepare(preexec: Option<&Preexec>, limits: &ProcessLimits, report: RawFd) -> io::Result<()> {
    signals_as_at_the_start();
    if let Some(preexec) = preexec {
        preexec().inspect_err(|_| tell(report, REPORT_PREEXEC))?;
    }
    inherit_nothing(); // before the limits: a lower one would hide open descriptors
    limits
        .apply()
        .inspect_err(|(number, _)| tell(report, *number as u8))
        .map_err(|(_, error)| error)
}

/// Restores the signal state of a new program: no blocked signal, the default action of SIGPIPE
/// (which Rust ignores), and a SIGCHLD that lets the child wait for its own children.
fn signals_as_at_the_start() {
    let mut none = MaybeUninit::uninit();
    // SAFETY: these calls are async-signal-safe, and the set is initialised before use.
    unsafe {
        libc::sigemptyset(none.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
    }
}

/// Reports the step that failed to the parent; the error number comes through the pipe of
/// `Command`.
fn tell(report: RawFd, step: u8) {
    // SAFETY: writes one byte of this stack to a pipe that the parent keeps open until the spawn is
    // over.
    unsafe { libc::write(report, (&raw const step).cast(), 1) };
}

/// The first descriptor that a child does not inherit.
const FIRST: RawFd = 3;

/// Marks all descriptors except the standard three close-on-exec, including those that other
/// libraries opened without that flag. Closing them now would close the pipe through which
/// `Command` reports a failed exec.
fn inherit_nothing() {
    // SAFETY: the call takes plain numbers and changes only flags of this process's descriptors.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            FIRST as libc::c_uint,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    if done == 0 {
        return;
    }
    // Linux before 5.11, or a sandbox that rejects the call.
    if !each_open_descriptor(mark_close_on_exec) {
        // Without /proc: every number up to the limit. A descriptor may lie above it only if the
        // limit was lowered after the descriptor was opened.
        let mut limit = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        // SAFETY: getrlimit fills the structure.
        unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
        let end = RawFd::try_from(limit.rlim_cur).unwrap_or(RawFd::MAX);
        (0..end).for_each(mark_close_on_exec);
    }
}

fn mark_close_on_exec(fd: RawFd) {
    if fd >= FIRST {
        // SAFETY: a plain number; the call fails if it is not a descriptor.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// Calls `with` on each open descriptor, found through /proc without allocating. Returns `false` if
/// /proc cannot be read.
fn each_open_descriptor(with: impl Fn(RawFd)) -> bool {
    /// Offsets of the length and the name in `struct linux_dirent64` (getdents64(2)).
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    let mut entries = Entries([0; 1024]);
    // SAFETY: the path is a C string, and the kernel writes at most the size of the buffer.
    unsafe {
        let flags = libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC;
        let folder = libc::open(c"/proc/self/fd".as_ptr(), flags);
        if folder < 0 {
            return false;
        }
        let complete = loop {
            let buffer = entries.0.as_mut_ptr();
            let read = libc::syscall(libc::SYS_getdents64, folder, buffer, entries.0.len());
            let Ok(read @ 1..) = usize::try_from(read) else {
                break read == 0;
            };
            let mut at = 0;
            while at + NAME < read {
                let name = entries.0[at + NAME..read]
                    .iter()
                    .map_while(|byte| match byte {
                        b'0'..=b'9' => Some(RawFd::from(byte - b'0')),
                        _ => None,
                    });
                // `.` and `..` contain no digits.
                if let Some(fd) = name.fold(None, |fd: Option<RawFd>, digit| {
                    Some(fd.unwrap_or(0).saturating_mul(10).saturating_add(digit))
                }) {
                    with(fd);
                }
                at += usize::from(u16::from_ne_bytes([
                    entries.0[at + LENGTH],
                    entries.0[at + LENGTH + 1],
                ]));
            }
        };
        libc::close(folder);
        complete
    }
}

#[repr(C, align(8))]
struct Entries([u8; 1024]);

// ---- in the parent ----

fn failed_step(report: &OwnedFd) -> Step {
    let mut step = [0];
    match read(report, &mut step) {
        Ok(1) if step[0] == REPORT_PREEXEC => Step::Preexec,
        Ok(1) => Step::Limit(step[0].into()),
        _ => Step::Exec,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn descriptors_are_found_however_many_there_are() {
        let files: Vec<OwnedFd> = (0..200)
            .map(|_| OwnedFd::from(std::fs::File::open("/dev/null").unwrap()))
            .collect();
        let found = RefCell::new(Vec::new());
        assert!(each_open_descriptor(|fd| found.borrow_mut().push(fd)));
        let found = found.into_inner();
        for file in &files {
            assert_eq!(
                found.iter().filter(|fd| **fd == file.as_raw_fd()).count(),
                1
            );
        }
    }
}

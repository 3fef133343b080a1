//! Starts a child: the steps between fork and exec, and the report of a step that fails.

use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use super::limits;
use super::system::{Early, EarlyPair, inherit_nothing};
use crate::processutils::sys::types::{Limits, Plan, Preexec, Step};

/// Starts the child. With what it has sent of itself, if it may be gone before anybody looks at it.
pub(super) fn start(plan: &Plan) -> Result<(Child, Option<Early>), (Step, io::Error)> {
    let at_exec = |error| (Step::Exec, error);
    let mut command = command(plan).map_err(at_exec)?;
    let (mut report, report_to) = UnixStream::pair().map_err(at_exec)?;
    report.set_nonblocking(true).map_err(at_exec)?;
    let (preexec, limits, report_fd) = (plan.preexec.clone(), plan.limits, report_to.as_raw_fd());
    let early = EarlyPair::new().map_err(at_exec)?;
    let announcement = early.child_side();
    // SAFETY: `prepare` makes only calls that are async-signal-safe, beside what the caller of the
    // unsafe `preexec` answers for; it allocates nothing, and takes no lock. `report_to` and
    // `early` outlive the spawn.
    unsafe {
        command.pre_exec(move || {
            announcement.announce();
            prepare(preexec.as_ref(), &limits, report_fd)
        });
    }
    let spawned = command.spawn();
    drop(report_to);
    let child = spawned.map_err(|error| (failed_step(&mut report), error))?;
    Ok((child, early.receive()))
}

fn command(plan: &Plan) -> io::Result<Command> {
    let (first, rest) = plan
        .words
        .split_first()
        .ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = match plan.shell {
        true => {
            let mut shell = Command::new("/bin/sh");
            shell.arg("-c").arg(first);
            shell
        }
        false => Command::new(first),
    };
    command.args(rest);
    plan.apply_to(&mut command);
    if plan.own_group {
        command.process_group(0);
    }
    Ok(command)
}

// ---- in the child: only async-signal-safe calls ----

const REPORT_PREEXEC: u8 = u8::MAX;

fn prepare(preexec: Option<&Preexec>, limits: &Limits, report: RawFd) -> io::Result<()> {
    signals_as_at_the_start();
    if let Some(preexec) = preexec {
        preexec().inspect_err(|_| tell(report, REPORT_PREEXEC))?;
    }
    inherit_nothing(); // before the limits, of which one may hide descriptors from it
    limits::apply(limits)
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

// ---- in the parent ----

fn failed_step(report: &mut UnixStream) -> Step {
    let mut step = [0];
    match report.read(&mut step) {
        Ok(1) if step[0] == REPORT_PREEXEC => Step::Preexec,
        Ok(1) => Step::Limit(step[0].into()),
        _ => Step::Exec,
    }
}

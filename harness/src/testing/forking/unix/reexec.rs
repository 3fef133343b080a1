//! Executes the test program again, for one test.
//!
//! The new process runs the test from its beginning. Earlier runs of the test are not repeated
//! there: it inherits their results.

use std::cell::{Cell, RefCell};
use std::env;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::sys::{self, inspect};

/// `WITNESS/ERRORS,…`: the descriptors of all runs of the test so far; the last is still to be
/// made.
const VARIABLE: &str = "LOCKUTILS_HARNESS_RUNS";

/// The role of this process in the next run.
#[derive(Debug)]
pub(crate) enum Role {
    /// The test's own process.
    Test,
    /// Executed for this run: forks here, writes into the inherited witness, and leaves.
    Forker(RawFd),
    /// Executed for a later run of the same test: has the witness and the errors of this one.
    LaterRun(RawFd, String),
}

/// The part of a finished run that the test's own process keeps for later ones.
#[derive(Debug)]
struct Past {
    witness: RawFd,
    errors: File,
}

thread_local! {
    static NUMBER: Cell<usize> = const { Cell::new(0) };
    static PAST: RefCell<Vec<Past>> = const { RefCell::new(Vec::new()) };
}

/// The role of this process in the next run of this thread.
pub(crate) fn role() -> io::Result<Role> {
    let number = NUMBER.replace(NUMBER.get() + 1);
    let runs = inherited_runs();
    match runs.get(number) {
        None => Ok(Role::Test),
        Some(&(witness, _)) if number + 1 == runs.len() => Ok(Role::Forker(witness)),
        Some(&(witness, errors)) => {
            // SAFETY: the parent left this descriptor open for this process, and it stays open.
            let errors = unsafe { BorrowedFd::borrow_raw(errors) };
            Ok(Role::LaterRun(
                witness,
                read(&errors.try_clone_to_owned()?.into())?,
            ))
        }
    }
}

/// Returns `true` if another test process executed this one. That process holds the locks of the
/// test's fixtures.
pub(crate) fn is_executed_for_a_run() -> bool {
    !inherited_runs().is_empty()
}

fn inherited_runs() -> Vec<(RawFd, RawFd)> {
    let text = env::var(VARIABLE).unwrap_or_default();
    text.split(',')
        .filter_map(|run| {
            let (witness, errors) = run.split_once('/')?;
            Some((witness.parse().ok()?, errors.parse().ok()?))
        })
        .collect()
}

/// Ends the test in a process executed for one run, and drops its fixtures.
pub(crate) fn leave() -> ! {
    std::panic::resume_unwind(Box::new(
        "this process was executed for one run, which has ended",
    ))
}

/// Executes the test program for the current run of this test and returns its standard error. The
/// descriptor of the witness must stay open for as long as the test runs.
pub(crate) fn execute_again(witness: RawFd) -> io::Result<String> {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main");
    // A program that is no test has one thread, as far as its threads can be counted.
    if test.is_none() && (inspect::COUNTS_THREADS || thread.name().is_none()) {
        return Err(io::Error::other(
            "the name of the test is unknown: start the run from the thread of the test itself",
        ));
    }
    let errors = sys::inheritable_file(c"lockutils-errors")?;
    let standard_error = Stdio::from(errors.try_clone()?);
    let runs = PAST.with_borrow_mut(|past| {
        past.push(Past { witness, errors });
        let words: Vec<String> = past
            .iter()
            .map(|past| format!("{}/{}", past.witness, past.errors.as_raw_fd()))
            .collect();
        words.join(",")
    });
    this_test(test)?
        .env(VARIABLE, runs)
        .stdout(Stdio::null())
        .stderr(standard_error)
        .status()?;
    PAST.with_borrow(|past| {
        past.last()
            .map_or(Ok(String::new()), |past| read(&past.errors))
    })
}

/// A command for this test program and `test` alone, or for a program that is no test. It ends with
/// the thread that starts it.
pub(super) fn this_test(test: Option<&str>) -> io::Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    match test {
        Some(test) => command.args([
            "--exact",
            test,
            "--nocapture",
            "--include-ignored",
            "--test-threads=1",
        ]),
        None => command.args(env::args_os().skip(1)),
    };
    command.stdin(Stdio::null());
    // SAFETY: the call is async-signal-safe; nothing is allocated.
    unsafe {
        command.pre_exec(sys::end_with_parent);
    }
    Ok(command)
}

/// Reads a whole file without its offset, which other processes share.
fn read(file: &File) -> io::Result<String> {
    let length = file.metadata()?.len();
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

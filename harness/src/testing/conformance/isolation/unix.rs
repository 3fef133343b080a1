//! Runs a trial in a process of its own, in which nothing else runs.
//!
//! A test program runs many tests at once, and each of them forks. Between fork and exec, the child
//! of another test has a copy of every descriptor, including one that a lock under test has locked
//! and closed since. Locks of flock(2) and of open file descriptions live until the last copy is
//! closed, so a released lock may stay held for a moment. In a process of its own, no trial is
//! affected by the children of another.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::fs::FileExt;

use crate::sys::inheritable_file;
use crate::testing::finding::{Finding, Unknown};
use crate::testing::forking::{self, Role};

/// Maximum number of lines of the workers' standard error in a verdict.
const LINES: usize = 20;

/// Runs `trial` in a process that does nothing else, and returns its verdict.
pub(crate) fn run_isolated(trial: &dyn Fn() -> Finding) -> Finding {
    try_isolated(trial).unwrap_or_else(|error| {
        let why = format!("cannot start a process for the trial: {error}");
        Finding::NotKnown(Unknown::Unsupported(why))
    })
}

fn try_isolated(trial: &dyn Fn() -> Finding) -> io::Result<Finding> {
    match forking::role()? {
        Role::Forker(fd) => {
            write(fd, &trial())?;
            forking::leave();
        }
        Role::LaterRun(fd, errors) => Ok(read(fd, &errors)),
        Role::Test if forking::may_fork() => Ok(trial()),
        Role::Test => {
            // Stays open: a later trial of this test reads the verdict again.
            let fd = inheritable_file(c"lockutils-verdict")?;
            let fd = std::os::fd::IntoRawFd::into_raw_fd(fd);
            let errors = forking::execute_again(fd)?;
            Ok(read(fd, &errors))
        }
    }
}

const HELD: u8 = b'h';
const VIOLATED: u8 = b'v';
const BUDGET: u8 = b'b';
const UNSUPPORTED: u8 = b'u';
const NOT_PROMISED: u8 = b'p';
const NOTHING_RAN: u8 = b'n';

fn write(fd: RawFd, verdict: &Finding) -> io::Result<()> {
    let (letter, text) = match verdict {
        Finding::Held => (HELD, ""),
        Finding::Violated(text) => (VIOLATED, text.as_str()),
        Finding::NotKnown(Unknown::Budget(text)) => (BUDGET, text.as_str()),
        Finding::NotKnown(Unknown::Unsupported(text)) => (UNSUPPORTED, text.as_str()),
        Finding::NotKnown(Unknown::NotPromised) => (NOT_PROMISED, ""),
        Finding::NotKnown(Unknown::NothingRan) => (NOTHING_RAN, ""),
    };
    let bytes = [&[letter], text.as_bytes()].concat();
    with_file(fd, |file| file.write_all_at(&bytes, 0))
}

fn read(fd: RawFd, errors: &str) -> Finding {
    let bytes = with_file(fd, |file| {
        let mut bytes = vec![0; usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    });
    let bytes = bytes.unwrap_or_default();
    let text = String::from_utf8_lossy(bytes.get(1..).unwrap_or_default()).into_owned();
    match bytes.first() {
        Some(&HELD) => Finding::Held,
        Some(&VIOLATED) => Finding::Violated(text + &standard_error(errors)),
        Some(&BUDGET) => Finding::NotKnown(Unknown::Budget(text)),
        Some(&NOT_PROMISED) => Finding::NotKnown(Unknown::NotPromised),
        Some(&NOTHING_RAN) => Finding::NotKnown(Unknown::NothingRan),
        Some(&UNSUPPORTED) => Finding::NotKnown(Unknown::Unsupported(text)),
        _ => Finding::NotKnown(Unknown::Unsupported(format!(
            "the trial ended without a verdict{}",
            standard_error(errors)
        ))),
    }
}

/// Does not close the descriptor.
fn with_file<T>(fd: RawFd, act: impl FnOnce(&File) -> io::Result<T>) -> io::Result<T> {
    // SAFETY: the descriptor was created above or inherited for this, and is not closed here.
    let file = std::mem::ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
    debug_assert_eq!(file.as_raw_fd(), fd);
    act(&file)
}

fn standard_error(errors: &str) -> String {
    let lines: Vec<&str> = errors
        .lines()
        .filter(|line| !line.trim().is_empty())
        .take(LINES)
        .collect();
    match lines.is_empty() {
        true => String::new(),
        false => format!(
            "\n  standard error of the workers:\n    {}",
            lines.join("\n    ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    #[test]
    fn a_verdict_is_read_from_a_file_as_it_was_written() {
        for verdict in [
            Finding::Held,
            Finding::Violated("two holders".into()),
            Finding::NotKnown(Unknown::Budget("time".into())),
            Finding::NotKnown(Unknown::Unsupported("no try".into())),
            Finding::NotKnown(Unknown::NotPromised),
            Finding::NotKnown(Unknown::NothingRan),
        ] {
            let fd = inheritable_file(c"verdict").unwrap();
            let fd = fd.into_raw_fd();
            write(fd, &verdict).unwrap();
            assert_eq!(read(fd, ""), verdict);
        }
        let empty = inheritable_file(c"verdict").unwrap();
        let verdict = read(empty.into_raw_fd(), "it crashed");
        assert!(verdict.to_string().contains("it crashed"), "{verdict}");
    }
}

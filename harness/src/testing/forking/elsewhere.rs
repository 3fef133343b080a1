//! A whole test in a process of its own, where it may fork as often as it likes.

use std::cell::RefCell;
use std::io;

use super::alone::{VARIABLE, may_fork};
use super::reexec::this_test;

/// Where the test is run.
#[derive(Clone, Debug)]
pub(crate) enum Elsewhere {
    /// Here: this process may fork.
    Here,
    /// It was run elsewhere, and passed.
    Passed,
    /// It was run elsewhere, and failed; what it said.
    Failed(String),
}

thread_local!(static RUN: RefCell<Option<Elsewhere>> = const { RefCell::new(None) });

impl Elsewhere {
    /// Runs the test of this thread elsewhere, once, unless this process may fork. What came of it stays so for the whole test.
    pub(crate) fn run() -> io::Result<Elsewhere> {
        if may_fork() {
            return Ok(Elsewhere::Here);
        }
        if let Some(known) = RUN.with_borrow(Clone::clone) {
            return Ok(known);
        }
        let outcome = execute()?;
        RUN.set(Some(outcome.clone()));
        Ok(outcome)
    }
}

fn execute() -> io::Result<Elsewhere> {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("main");
    let output = this_test(test)?.env(VARIABLE, "1").output()?;
    Ok(if output.status.success() {
        Elsewhere::Passed
    } else {
        Elsewhere::Failed(String::from_utf8_lossy(&output.stderr).into_owned())
    })
}

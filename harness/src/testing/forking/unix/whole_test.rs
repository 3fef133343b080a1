//! A whole test in a process of its own, which may fork.

use std::cell::RefCell;
use std::io;

use super::may_fork::{VARIABLE, may_fork};
use super::reexec::this_test;

/// The outcome of the current test in a process of its own.
#[derive(Clone, Debug)]
pub(crate) enum WholeTest {
    /// Not needed: this process may fork.
    Here,
    /// The test passed there.
    Passed,
    /// The test failed there, with this standard error.
    Failed(String),
}

thread_local!(static OUTCOME: RefCell<Option<WholeTest>> = const { RefCell::new(None) });

/// Runs the test of this thread in a process of its own, once, unless this process may fork. Later
/// calls in the same test return the same outcome.
pub(crate) fn run() -> io::Result<WholeTest> {
    if may_fork() {
        return Ok(WholeTest::Here);
    }
    if let Some(known) = OUTCOME.with_borrow(Clone::clone) {
        return Ok(known);
    }
    let outcome = execute()?;
    OUTCOME.set(Some(outcome.clone()));
    Ok(outcome)
}

fn execute() -> io::Result<WholeTest> {
    let thread = std::thread::current();
    let output = this_test(Some(thread.name().unwrap_or("main")))?
        .env(VARIABLE, "1")
        .output()?;
    Ok(if output.status.success() {
        WholeTest::Passed
    } else {
        WholeTest::Failed(String::from_utf8_lossy(&output.stderr).into_owned())
    })
}

//! A whole test in a process of its own, where it may fork as often as it likes.

use std::env;
#[cfg(feature = "proptest")]
use {super::reexec::this_test, std::cell::RefCell, std::io};

const VARIABLE: &str = "LOCKUTILS_HARNESS_ALONE";

/// Whether this process was executed for one test: its other thread, libtest's, does nothing but wait for that test.
pub(crate) fn is_alone() -> bool {
    env::var_os(VARIABLE).is_some()
}

/// Where the test is run.
#[derive(Clone, Debug)]
#[cfg(feature = "proptest")]
pub(crate) enum Elsewhere {
    /// Here: this process may fork.
    Here,
    /// It was run elsewhere, and passed.
    Passed,
    /// It was run elsewhere, and failed; what it said.
    Failed(String),
}

#[cfg(feature = "proptest")]
thread_local!(static RUN: RefCell<Option<Elsewhere>> = const { RefCell::new(None) });

#[cfg(feature = "proptest")]
impl Elsewhere {
    /// Runs the test of this thread elsewhere, once, unless this process may fork. What came of it stays so for the whole test.
    pub(crate) fn run() -> io::Result<Elsewhere> {
        if super::may_fork() {
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

#[cfg(feature = "proptest")]
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

//! The check whether this process may fork.

use std::env;

use super::reexec::is_executed_for_a_run;
use crate::sys::inspect;

/// Set in a process that was executed for one whole test.
pub(super) const VARIABLE: &str = "LOCKUTILS_HARNESS_ALONE";

/// Returns `true` if no other thread of this process does anything, so that it may fork itself.
pub(crate) fn may_fork() -> bool {
    // The other thread of a process executed for one test, libtest's, only waits for that test.
    env::var_os(VARIABLE).is_some() || is_executed_for_a_run() || inspect::is_single_threaded()
}

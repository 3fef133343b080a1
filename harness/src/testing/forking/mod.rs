//! Starts the worker processes of a run from a test, safely.
//!
//! With fork(2): a test program has many threads, and in the child of a fork only the forking thread
//! lives on: locks held by the others stay locked forever. So a process with one thread forks itself.
//! Any other executes its own test program again, for this one test and with one thread, and that
//! process forks (fork(2), "NOTES"; signal-safety(7)).
//!
//! Without fork(2): the test program is executed again for each worker, for this one test. There
//! it runs from its beginning to the run, where it becomes that worker.

mod coordinator;
mod ended;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub use coordinator::ProcessOutcome;
pub(crate) use coordinator::{END, Phases, Plan, STACK, run_workers};
#[cfg(feature = "rstest")]
pub(crate) use platform::is_executed_for_a_run;
pub(crate) use platform::run;
#[cfg(unix)]
pub(crate) use platform::{Role, execute_again, leave, may_fork, role};
#[cfg(feature = "proptest")]
pub(crate) use platform::{WholeTest, whole_test};

//! Forks worker processes from a test, safely.
//!
//! A test program has many threads, and in the child of a fork only the forking thread lives on:
//! locks held by the others stay locked forever. So a process with one thread forks itself. Any
//! other executes its own test program again, for this one test and with one thread, and that
//! process forks (fork(2), "NOTES"; signal-safety(7)).

mod coordinator;
mod may_fork;
mod reexec;
mod stacks;
#[cfg(feature = "proptest")]
mod whole_test;

pub use coordinator::ProcessOutcome;
pub(crate) use coordinator::{END, Phases, Plan, STACK, fork_and_run};
pub(crate) use may_fork::may_fork;
#[cfg(feature = "rstest")]
pub(crate) use reexec::is_executed_for_a_run;
pub(crate) use reexec::{Role, execute_again, leave, role};
pub(crate) use stacks::of_process as stack_of;
#[cfg(feature = "proptest")]
pub(crate) use whole_test::WholeTest;

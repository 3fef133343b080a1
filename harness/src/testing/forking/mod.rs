//! Forking from a test, safely.
//!
//! A test program has many threads, and in the child of a fork only the forking one lives on: locks that others held stay locked forever. So a
//! process with one thread forks itself; any other executes its own test program once more, for this one test and with one thread, and
//! lets that fork (fork(2), "NOTES"; signal-safety(7)).

mod alone;
mod coordinator;
#[cfg(feature = "proptest")]
mod elsewhere;
mod reexec;
mod stacks;

pub(crate) use alone::may_fork;
pub use coordinator::Outcome;
pub(crate) use coordinator::{Acts, END, Plan, STACK, run_here};
#[cfg(feature = "proptest")]
pub(crate) use elsewhere::Elsewhere;

pub(crate) use stacks::of_process as stack_of;

pub(crate) use reexec::is_executed_for_a_run;
pub(crate) use reexec::{Role, execute_again, leave, role};

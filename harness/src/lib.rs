//! Shows whether a lock really excludes: between threads, between processes, under faults.
//!
//! A test runs the function under test in many processes and threads at once, and a [witness] in shared memory sees everybody
//! who is in the critical section.

pub mod checker;
pub mod conformance;
#[cfg(feature = "explore")]
pub mod explore;
#[cfg(feature = "rstest")]
pub mod fixtures;
#[cfg(feature = "foreign")]
pub mod foreign;
mod forking;
pub mod history;
pub mod prelude;
#[cfg(feature = "proptest")]
pub mod programs;
#[cfg(all(feature = "explore", any(test, fuzzing)))]
pub mod properties;
mod random;
#[cfg(feature = "foreign")]
pub mod report;
pub mod stress;
pub mod verdict;
pub mod witness;

pub use forking::Outcome;
pub use stress::{Breach, Fault, Report, Stress, Worker};

//! Shows whether a lock really excludes: between threads, between processes, under faults.
//!
//! [`testing`] is for tests in Rust: they run the function under test in many processes and threads
//! at once, and a [witness](testing::witness) in shared memory records every holder of the critical
//! section. [`protocol`] is for workers: programs through which `cargo lockutils` tries a lock.
//!
//! The other modules are the engine of `cargo lockutils`. They are public to it alone and change
//! without notice.

#[cfg(feature = "explore")]
#[doc(hidden)]
pub mod explore;
#[doc(hidden)]
pub mod model;
pub mod prelude;
#[doc(hidden)]
pub mod procfs;
#[cfg(all(feature = "explore", any(test, fuzzing)))]
#[doc(hidden)]
pub mod properties;
#[cfg(feature = "protocol")]
pub mod protocol;
#[cfg(feature = "stress")]
#[doc(hidden)]
pub mod report;
#[cfg(feature = "stress")]
#[doc(hidden)]
pub mod stress;
pub mod testing;
#[cfg(feature = "stress")]
#[doc(hidden)]
pub mod workers;

pub use testing::Outcome;
pub use testing::stress::{Breach, Fault, Stress, StressReport, Worker};

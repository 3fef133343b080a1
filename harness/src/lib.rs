//! Tests whether a lock really excludes: between threads, between processes, under faults.
//!
//! A test gives the function that uses the lock to [`Stress`](testing::stress::Stress), which calls
//! it in many processes and threads at once. A [witness](testing::witness) in shared memory records
//! every holder of the critical section, sees every overlap of two of them, and reports none that
//! did not happen.
//!
//! ```
//! use lockutils_harness::prelude::*;
//! use oslo_concurrency::lockutils;
//!
//! #[lockutils::synchronized("cache", external)]
//! fn refresh(work: impl FnOnce()) -> Result<(), lockutils::Error> {
//!     work();
//!     Ok(())
//! }
//!
//! Stress::new()
//!     .isolated() // a lock path of its own
//!     .processes(4)
//!     .threads(2)
//!     .sections(200)
//!     .run(|worker| refresh(|| worker.section(|| ())).unwrap())
//!     .assert_exclusive();
//! ```
//!
//! * [`testing`] has everything for tests in Rust, [`prelude`] the names that most tests need.
//! * [`lock_conformance!`] makes a test of each guarantee that a lock may keep.
//! * `protocol` (feature `protocol`) is for workers: programs that try a lock for `cargo
//!   lockutils`.
//!
//! The other modules are the engine of `cargo lockutils`. They are public for that command alone
//! and change without notice.
//!
//! # Platforms
//! | | Linux | macOS, FreeBSD | Windows |
//! |---|---|---|---|
//! | fixtures, witness, history, checker | yes | yes | yes |
//! | `Stress` | forks | forks | [executes the test program](testing::stress) for each worker |
//! | faults | all | all | kill, panic, and those of files; another one is an error before the run |
//! | conformance | all | not *fairness*, *refusal* | nor *signals* and what needs fork(2) |
//! | random programs | yes | yes | no: the test fails and says so |
//! | workers in Rust, `stress` | yes | yes | without *pause*, *fork* and wrappers |
//! | `explore` | yes | no | no |
//!
//! What is not available is *not known* or an error, with the reason; it is never a pass. On macOS,
//! FreeBSD and Windows no list of the kernel's locks and no state of threads is read: an *orphan* is
//! found only by trying the lock, and a waiter counts as stuck even if the machine kept it waiting.

#[cfg(feature = "explore")]
#[cfg_attr(
    not(target_os = "linux"),
    allow(dead_code, reason = "no step is ever taken there")
)]
#[doc(hidden)]
pub mod explore;
#[doc(hidden)]
pub mod model;
pub mod prelude;
#[cfg(target_os = "linux")]
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
mod sys;
pub mod testing;
#[cfg(feature = "stress")]
#[doc(hidden)]
pub mod workers;

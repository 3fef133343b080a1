//! Tests whether a lock really excludes: between threads, between processes, and under faults.
//!
//! A test passes the function that uses the lock to [`Stress`](testing::stress::Stress), which
//! calls it in many processes and threads at once. A [witness](testing::witness) in shared memory
//! records every holder of the critical section and detects every overlap of two of them, without
//! false reports.
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
//! Linux. The feature `explore` also needs x86-64 or aarch64.

#[cfg(feature = "explore")]
#[doc(hidden)]
pub mod engines;
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
#[cfg_attr(
    not(feature = "explore"),
    allow(dead_code, reason = "each feature uses a part of it")
)]
mod sys;
pub mod testing;
#[cfg(feature = "stress")]
#[doc(hidden)]
pub mod workers;

//! Tries any lock, in any language: workers are told over a line protocol to acquire and release it, and every hold is judged here.
//!
//! A [`LockUnderTest`] is started in several processes. A hold lasts from when its `acquired` is read until its `release` is written, both on
//! this process's clock, so two holds that overlap are an error of the lock whatever the workers' clocks say. [`Trial`] runs one
//! [`Scenario`] after the other and gives a [`Card`](crate::report::Card).

pub mod check;
pub(crate) mod crew;
pub(crate) mod judge;
mod load;
mod lock;
mod plan;
pub mod probe;
pub mod processes;
pub mod protocol;
mod recruiter;
mod scenario;
pub mod serve;
pub(crate) mod tally;
mod timeline;
mod trial;
pub(crate) mod worker;
pub mod wrapper;

pub use lock::{BUILTIN_WORKER, LockUnderTest, UsageError, WRAPPER_ADAPTER};
pub use plan::Options;
pub use scenario::{Role, Scenario};
pub use trial::{Progress, Sofar, Trial, offers};

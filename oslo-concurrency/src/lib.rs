//! Named locks between threads and between processes, interoperable with OpenStack's
//! `oslo.concurrency`.
//!
//! ```
//! use oslo_concurrency::lockutils;
//!
//! #[lockutils::synchronized("not_thread_safe")]
//! fn not_thread_safe() -> u32 {
//!     42 // one thread of this process at a time
//! }
//!
//! #[lockutils::synchronized("not_thread_process_safe", external = true)]
//! fn not_thread_process_safe() -> Result<u32, lockutils::Error> {
//!     Ok(42) // one thread of one process on this machine at a time
//! }
//!
//! # let directory = tempfile::tempdir().unwrap();
//! # lockutils::set_defaults(directory.path());
//! assert_eq!(not_thread_safe(), 42);
//! assert_eq!(not_thread_process_safe()?, 42);
//! # Ok::<(), lockutils::Error>(())
//! ```
//!
//! [`lockutils`] has the locks and [`processutils`] runs commands. [`watchdog`] warns about actions
//! that take long. [`observe`] is for tests.
//!
//! # Platforms
//!
//! The locks run on Linux, macOS, FreeBSD and Windows. They exclude those of oslo.concurrency on each
//! of them. What differs:
//!
//! * On FreeBSD a wait with a timeout, or of a task, asks again each 5 ms at least.
//! * On Windows lock files must stay empty, because Python locks the byte where the file ends; names
//!   such as `a:b` and `NUL` are [`InvalidName`](lockutils::Error::InvalidName).
//! * Only on Linux does the warning about a long wait name the process that holds the lock.
//!
//! # Features
//!
//! Both are off by default.
//!
//! * `tokio`: `LockOptions::acquire_async`, `run_async` and `#[synchronized]` on an `async fn`.
//! * `ssh`: `processutils::ssh_execute`, over libssh2.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod alarms;
#[cfg(test)]
mod alarms_tests;
#[cfg(feature = "tokio")]
mod asynchronous;
mod contained;
mod files;
mod fork;
pub mod lockutils;
mod named;
pub mod observe;
mod once;
pub mod processutils;
#[cfg(all(any(test, fuzzing), target_os = "linux"))]
pub mod properties;
mod sync;
mod sys;
mod threads;
mod wait;
#[cfg(test)]
mod wait_tests;
pub mod watchdog;

#[doc(hidden)]
pub mod __private;

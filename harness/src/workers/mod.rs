//! Worker processes of a lock under test: start, observation and end.

pub mod check;
mod error;
mod lock_under_test;
pub(crate) mod names;
pub(crate) mod pool;
pub(crate) mod spawner;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
pub(crate) mod worker;

#[cfg(unix)]
pub use unix::{probe, wrapper};
#[cfg(windows)]
pub use windows::{probe, wrapper};

pub use error::{NotReady, WorkerError};
pub use lock_under_test::{
    BUILTIN_WORKER, LockUnderTest, UsageError, WRAPPER_ADAPTER, WorkerConfig,
};

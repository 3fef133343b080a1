//! Worker processes of a lock under test: start, observation and end.

pub mod check;
mod error;
mod lock_under_test;
pub(crate) mod pool;
pub mod probe;
pub(crate) mod spawner;
pub(crate) mod worker;
pub mod wrapper;

pub use error::{NotReady, WorkerError};
pub use lock_under_test::{
    BUILTIN_WORKER, LockUnderTest, UsageError, WRAPPER_ADAPTER, WorkerConfig,
};

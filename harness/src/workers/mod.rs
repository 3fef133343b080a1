//! Worker processes of a lock under test: how they are started, watched and stopped.

pub mod check;
mod lock_under_test;
pub(crate) mod pool;
pub mod probe;
pub(crate) mod spawner;
pub(crate) mod worker;
pub mod wrapper;

pub use lock_under_test::{BUILTIN_WORKER, LockUnderTest, Place, UsageError, WRAPPER_ADAPTER};

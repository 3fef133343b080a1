//! Named locks: the Rust form of `oslo_concurrency.lockutils`.

#[cfg(feature = "tokio")]
mod asynchronous;
pub(crate) mod config;
mod error;
mod guard;
pub(crate) mod ini;
mod interprocess;
mod interprocess_rw;
mod lookup_cache;
mod name;
mod options;
mod reader_writer;
#[cfg(test)]
mod reader_writer_tests;
mod removal;
pub mod scope;
mod semaphores;
mod setting;
pub(crate) mod site;
mod synchronizer;

#[cfg(feature = "tokio")]
pub use asynchronous::AsyncGuard;
pub use config::{
    ConfigError, configure_from_ini, get_lock_path, set_defaults, set_disable_process_locking,
};
pub use error::Error;
pub use guard::Guard;
pub use interprocess::{InterProcessGuard, InterProcessLock, external_lock};
pub use interprocess_rw::{
    InterProcessReadGuard, InterProcessReaderWriterLock, InterProcessWriteGuard,
};
pub use options::{LockOptions, lock, lock_with_prefix};
pub use oslo_concurrency_macros::synchronized;
pub use reader_writer::{Owner, ReadGuard, ReaderWriterLock, WriteGuard};
pub use removal::{remove_external_lock_file, remove_external_lock_file_with_prefix};
pub use semaphores::{InternalGuard, InternalLock, Semaphores, internal_lock};
pub use synchronizer::{Synchronizer, synchronized_with_prefix};

//! Fixtures for rstest. A test that uses them needs rstest as a dependency of its own.
//!
//! ```
//! use lockutils_harness::prelude::*;
//! use rstest::rstest;
//!
//! #[rstest]
//! fn the_lock_file_is_created(lock_path: LockPath) {
//!     oslo_concurrency::lockutils::lock("a").external(true).run(|| ()).unwrap();
//!     assert!(lock_path.path().join("a").exists());
//! }
//! ```

use std::path::{Path, PathBuf};

use oslo_concurrency::lockutils::scope::LockPathScope;
use oslo_concurrency::lockutils::{self, Guard};
use rstest::fixture;
use tempfile::TempDir;

use crate::sys;
use crate::testing::forking::is_executed_for_a_run;
use crate::testing::stress::Stress;

/// A lock path for one test: external locks of this thread, and of the processes that it forks, are
/// created there. Corresponds to oslo's `ExternalLockFixture`.
///
/// The previous lock path of the thread applies again when the value is dropped, and the directory
/// is removed.
#[derive(Debug)]
pub struct LockPath {
    _scope: LockPathScope,
    path: PathBuf,
    _directory: TempDir,
}

impl LockPath {
    /// Creates a directory and makes it the lock path of this thread until the value is dropped.
    ///
    /// # Panics
    /// Panics if the directory cannot be created.
    pub fn new() -> Self {
        let directory = tempfile::tempdir();
        let directory = directory.and_then(|it| Ok((sys::agree(it.path())?, it)));
        let (path, directory) =
            directory.unwrap_or_else(|error| panic!("cannot create a lock directory: {error}"));
        LockPath {
            _scope: LockPathScope::enter(&path),
            path,
            _directory: directory,
        }
    }

    /// The directory of the lock files.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Default for LockPath {
    fn default() -> Self {
        LockPath::new()
    }
}

/// The fixture of a [`LockPath`].
#[fixture]
pub fn lock_path() -> LockPath {
    LockPath::new()
}

/// An external lock held for a whole test, in the configured lock path: tests of several programs
/// that use one device exclude each other. Corresponds to oslo's `LockFixture`.
#[derive(Debug)]
pub struct HeldLock {
    // None in a process executed for a run: the test's own process holds the lock.
    _guard: Option<Guard>,
}

impl HeldLock {
    /// Acquires the lock `name`, waiting without a limit.
    ///
    /// # Panics
    /// Panics if the lock cannot be acquired, for example because `OSLO_LOCK_PATH` is not set.
    pub fn acquire(name: &str) -> Self {
        let again = is_executed_for_a_run();
        match lockutils::lock(name)
            .external(true)
            .blocking(!again)
            .acquire()
        {
            Err(lockutils::Error::NotAcquired { .. }) if again => HeldLock { _guard: None },
            Ok(guard) => HeldLock {
                _guard: Some(guard),
            },
            Err(error) => panic!("{error}; `cargo lockutils test` sets a lock path"),
        }
    }
}

/// The fixture of a [`HeldLock`]: `#[with("device-0")] held_lock: HeldLock`.
#[fixture]
pub fn held_lock(#[default("held_lock")] name: &str) -> HeldLock {
    HeldLock::acquire(name)
}

/// The fixture of a [`Stress`] run in a lock path of its own, or in that of the test if it has one.
#[fixture]
pub fn stress() -> Stress {
    Stress::new().isolated()
}

//! Fixtures for rstest; a test that uses them has rstest as a dependency of its own.
//!
//! ```
//! use lockutils_harness::prelude::*;
//! use rstest::rstest;
//!
//! #[rstest]
//! fn the_file_is_made(lock_path: LockPath) {
//!     oslo_concurrency::lockutils::lock("a").external(true).run(|| ()).unwrap();
//!     assert!(lock_path.path().join("a").exists());
//! }
//! ```

use std::path::Path;

use oslo_concurrency::lockutils::scope::LockPathScope;
use oslo_concurrency::lockutils::{self, Guard};
use rstest::fixture;
use tempfile::TempDir;

use crate::testing::forking::is_executed_for_a_run;
use crate::testing::stress::Stress;

/// A lock path of the test's own: external locks of this thread, and of the processes that it forks, are made there. oslo's `ExternalLockFixture`.
#[derive(Debug)]
pub struct LockPath {
    _scope: LockPathScope,
    directory: TempDir,
}

impl LockPath {
    /// A fresh directory, in force until the value is dropped.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn new() -> Self {
        let directory = tempfile::tempdir()
            .unwrap_or_else(|error| panic!("no directory for locks can be made: {error}"));
        LockPath {
            _scope: LockPathScope::enter(directory.path()),
            directory,
        }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Default for LockPath {
    fn default() -> Self {
        LockPath::new()
    }
}

/// A [`LockPath`].
#[fixture]
pub fn lock_path() -> LockPath {
    LockPath::new()
}

/// An external lock that is held for the whole test, in the lock path that is configured: tests of several programs that use one device
/// do not disturb each other. oslo's `LockFixture`.
#[derive(Debug)]
pub struct HeldLock {
    // None if the test program is executed once more, and the test's own process holds it.
    _guard: Option<Guard>,
}

impl HeldLock {
    /// Waits for the lock `name`.
    ///
    /// # Panics
    /// If it cannot be acquired, for example since OSLO_LOCK_PATH is not set.
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

/// A [`HeldLock`]: `#[with("device-0")] held_lock: HeldLock`.
#[fixture]
pub fn held_lock(#[default("held_lock")] name: &str) -> HeldLock {
    HeldLock::acquire(name)
}

/// A [`Stress`] run with a lock path of its own, or that of the test if it has one.
#[fixture]
pub fn stress() -> Stress {
    Stress::new().isolated()
}

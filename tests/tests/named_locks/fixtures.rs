//! The fixtures for tests of programs with locks.

use lockutils_harness::testing::fixtures::{HeldLock, LockPath};
use oslo_concurrency::lockutils;

use crate::process;

/// Checks, when it is dropped, whether other threads find the lock held.
struct CleanUp<'a>(&'a LockPath);

impl Drop for CleanUp<'_> {
    fn drop(&mut self) {
        assert!(self.0.path().join("test-lock").exists());
        assert_eq!(process(self.0.path()).ask("try test-lock"), "busy");
    }
}

#[test]
fn what_a_test_cleans_up_it_cleans_up_under_the_held_lock() {
    let lock_path = LockPath::new();
    {
        let _held = HeldLock::acquire("test-lock");
        let _clean_up = CleanUp(&lock_path); // dropped before the lock
    }
    assert_eq!(process(lock_path.path()).ask("try test-lock"), "acquired");
}

#[test]
fn a_test_has_a_lock_path_of_its_own_that_is_removed_afterwards() {
    let fixture = LockPath::new();
    let directory = fixture.path().to_owned();
    assert_eq!(lockutils::get_lock_path(), Some(directory.clone()));
    lockutils::lock("x").external(true).run(|| ()).unwrap();
    assert!(directory.join("x").exists());
    drop(fixture);
    assert!(!directory.exists());
}

//! A lock path for part of a program, for test fixtures.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

thread_local! {
    /// Never destroyed, so that destructors of other thread-local values may lock. A thread without
    /// a scope owns no memory here.
    static SCOPES: ManuallyDrop<RefCell<Vec<PathBuf>>> =
        const { ManuallyDrop::new(RefCell::new(Vec::new())) };
}

fn scopes<T>(with: impl FnOnce(&RefCell<Vec<PathBuf>>) -> T) -> T {
    SCOPES.with(|scopes| with(scopes))
}

/// Sets the lock path of this thread while it lives, overriding the configuration.
///
/// Only the `lock_path` of a call overrides it. Scopes nest. A forked child inherits the scope of
/// the thread that forked it; a new thread has no scope.
///
/// ```
/// use oslo_concurrency::lockutils::{self, scope::LockPathScope};
///
/// let directory = tempfile::tempdir().unwrap();
/// let scope = LockPathScope::enter(directory.path());
/// lockutils::lock("device-0").external(true).run(|| ()).unwrap();
/// assert!(directory.path().join("device-0").exists());
/// # drop(scope);
/// ```
#[derive(Debug)]
#[must_use = "the scope ends when this is dropped"]
pub struct LockPathScope {
    depth: usize,
    _on_this_thread: PhantomData<*const ()>,
}

impl LockPathScope {
    /// Makes `path` the lock path of this thread until the scope is dropped.
    pub fn enter(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        scopes(|scopes| {
            let mut scopes = scopes.borrow_mut();
            scopes.push(path);
            LockPathScope {
                depth: scopes.len(),
                _on_this_thread: PhantomData,
            }
        })
    }

    /// Returns `true` if this thread is in a scope.
    pub fn is_entered() -> bool {
        current(|path| path.is_some())
    }
}

impl Drop for LockPathScope {
    fn drop(&mut self) {
        let ended = scopes(|scopes| {
            let mut scopes = scopes.borrow_mut();
            if self.depth == 1 {
                std::mem::take(&mut *scopes)
            } else {
                scopes.truncate(self.depth - 1);
                Vec::new()
            }
        });
        drop(ended);
    }
}

/// Calls `with` on the lock path of the innermost scope.
pub(crate) fn current<T>(with: impl FnOnce(Option<&Path>) -> T) -> T {
    scopes(|scopes| with(scopes.borrow().last().map(PathBuf::as_path)))
}

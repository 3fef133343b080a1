//! Settings of the process that a forked child can always read.
//!
//! They have no lock: the child would inherit it locked if another thread was setting or reading at
//! that moment.

use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A path that is rarely set and often read, without a lock.
///
/// Every path that was ever set stays in memory, each once, because readers may still be using it.
#[derive(Debug)]
pub(super) struct Setting {
    current: AtomicPtr<Node>,
    /// All paths that were ever set, newest first.
    seen: AtomicPtr<Node>,
}

#[derive(Debug)]
struct Node {
    path: PathBuf,
    next: Option<&'static Node>,
}

impl Setting {
    pub(super) const fn new() -> Self {
        Setting {
            current: AtomicPtr::new(ptr::null_mut()),
            seen: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub(super) fn get(&'static self) -> Option<&'static Path> {
        node(&self.current).map(|node| node.path.as_path())
    }

    pub(super) fn set(&'static self, path: Option<PathBuf>) {
        let current = match path {
            None => ptr::null_mut(),
            Some(path) => self.keep(path),
        };
        self.current.store(current, Ordering::Release);
    }

    /// The node of this path; a new one if there is none.
    fn keep(&'static self, path: PathBuf) -> *mut Node {
        let newest = node(&self.seen);
        let known = std::iter::successors(newest, |node| node.next).find(|node| node.path == path);
        if let Some(known) = known {
            return ptr::from_ref(known).cast_mut();
        }
        let fresh = Box::into_raw(Box::new(Node { path, next: newest }));
        // A path that another thread has set meanwhile is not found here, and is kept twice.
        let newest = newest.map_or(ptr::null_mut(), |newest| ptr::from_ref(newest).cast_mut());
        let _ = self
            .seen
            .compare_exchange(newest, fresh, Ordering::AcqRel, Ordering::Relaxed);
        fresh
    }
}

fn node(pointer: &'static AtomicPtr<Node>) -> Option<&'static Node> {
    // SAFETY: null, or a node that was leaked on purpose and never changes.
    unsafe { pointer.load(Ordering::Acquire).as_ref() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_what_was_set_last_and_keeps_each_path_once() {
        static SETTING: Setting = Setting::new();
        assert_eq!(SETTING.get(), None);
        for path in ["/a", "/b", "/a", "/b", "/a"] {
            SETTING.set(Some(path.into()));
            assert_eq!(SETTING.get(), Some(Path::new(path)));
        }
        let kept = std::iter::successors(node(&SETTING.seen), |node| node.next);
        assert_eq!(kept.count(), 2);
        SETTING.set(None);
        assert_eq!(SETTING.get(), None);
    }
}

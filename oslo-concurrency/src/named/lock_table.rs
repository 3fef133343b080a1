//! The locks of this process, by name and by file.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::files::{ProcessLock, shared_holds};
use crate::fork::PerProcess;
use crate::sys::FileIdentity;
use crate::threads::{Named, QueueLock, Registry};

pub(crate) type InternalEntry = Named<str, QueueLock>;
/// Named by the bytes of its path. Two spellings of one path are two entries, which the kernel's
/// lock keeps apart.
pub(crate) type ExternalEntry = Named<OsStr, ProcessLock>;

/// Lock files that stay open after their last use, so that a lock acquired by name in a loop is not
/// opened each time.
const RECENT: usize = 16;

#[derive(Default)]
struct LockTable {
    internal: Registry<str, QueueLock>,
    external: Registry<OsStr, ProcessLock>,
    recent: Mutex<VecDeque<Recent>>,
}

/// An external lock, and the lock between threads that belongs to it.
type Recent = (Arc<ExternalEntry>, Option<Arc<InternalEntry>>);

static TABLE: PerProcess<LockTable> = PerProcess::new();

fn table() -> &'static LockTable {
    TABLE.get_or_make(LockTable::default)
}

/// The lock between threads that has this name.
pub(crate) fn internal(name: &str) -> Arc<InternalEntry> {
    table().internal.get_or_make(name, |_| QueueLock::default())
}

/// The lock on this file, shared by the threads of this process. It keeps `internal` as long as
/// itself.
pub(crate) fn external(path: &Path, internal: Option<&Arc<InternalEntry>>) -> Arc<ExternalEntry> {
    let mut made = false;
    let entry = table().external.get_or_make(path.as_os_str(), |path| {
        made = true;
        ProcessLock::new(Path::new(path))
    });
    if made {
        let mut recent = table()
            .recent
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let oldest = if recent.len() < RECENT {
            None
        } else {
            recent.pop_front()
        };
        recent.push_back((Arc::clone(&entry), internal.map(Arc::clone)));
        drop(recent);
        drop(oldest); // may close its file: not under the mutex
    }
    entry
}

/// All external locks in use.
pub(crate) fn externals() -> Vec<Arc<ExternalEntry>> {
    table().external.values()
}

thread_local!(static FILES_HELD: Cell<usize> = const { Cell::new(0) });

/// A lock on a file that the calling thread holds, counted so that a thread without one need not
/// search.
#[derive(Debug)]
pub(crate) struct ThreadHold {
    _on_this_thread: PhantomData<*const ()>,
}

impl ThreadHold {
    pub(crate) fn begin() -> Self {
        FILES_HELD.set(FILES_HELD.get() + 1);
        ThreadHold {
            _on_this_thread: PhantomData,
        }
    }
}

impl Drop for ThreadHold {
    fn drop(&mut self) {
        FILES_HELD.set(FILES_HELD.get() - 1);
    }
}

/// Returns `true` if the calling thread, or the asynchronous section that it is running, holds
/// `file` other than by `asked`, the lock that it is acquiring: by another path, or as a
/// reader-writer lock.
pub(crate) fn this_thread_holds(file: FileIdentity, asked: &ExternalEntry) -> bool {
    this_thread_holds_by(file, |lock| !std::ptr::eq(lock, asked))
        || shared_holds::is_held_by_this_thread(file)
}

/// Returns `true` if the calling thread, or the asynchronous section that it is running, may hold a
/// file at all.
pub(crate) fn this_thread_holds_files() -> bool {
    FILES_HELD.get() != 0 || is_in_a_section()
}

/// Returns `true` if the calling thread, or the asynchronous section that it is running, holds
/// `file` by a lock that `counts`.
pub(crate) fn this_thread_holds_by(
    file: FileIdentity,
    counts: impl Fn(&ExternalEntry) -> bool,
) -> bool {
    this_thread_holds_files()
        && externals().iter().any(|lock| {
            lock.is_held_by_current_thread() && lock.identity() == Some(file) && counts(lock)
        })
}

/// Returns `true` if the asynchronous section that the calling thread is running holds a lock on
/// this file, by any path.
#[cfg(feature = "tokio")]
pub(crate) fn this_section_holds(file: FileIdentity) -> bool {
    is_in_a_section()
        && externals().iter().any(|lock| {
            crate::threads::section::is_inside(lock.holder()) && lock.identity() == Some(file)
        })
}

#[cfg(feature = "tokio")]
fn is_in_a_section() -> bool {
    crate::threads::section::is_inside_any()
}

#[cfg(not(feature = "tokio"))]
fn is_in_a_section() -> bool {
    false
}

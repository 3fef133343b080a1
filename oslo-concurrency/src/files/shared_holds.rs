//! Holds of reader-writer locks on files, by thread.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::fork::PerProcess;
use crate::sys::{FileIdentity, Mode};
use crate::threads::current_thread;

/// A hold of a thread of this process, through any value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) path: Arc<Path>,
    pub(crate) file: FileIdentity,
    pub(crate) thread: u64,
    pub(crate) mode: Mode,
}

static HELD: PerProcess<Mutex<Vec<Held>>> = PerProcess::new();

/// All holds of this process.
pub(crate) fn held() -> MutexGuard<'static, Vec<Held>> {
    HELD.get_or_make(Mutex::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
}

/// Returns `true` if the calling thread reads or writes under a lock on this file.
pub(crate) fn is_held_by_this_thread(file: FileIdentity) -> bool {
    let thread = current_thread();
    held()
        .iter()
        .any(|held| held.thread == thread && held.file == file)
}

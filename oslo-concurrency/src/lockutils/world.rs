//! The locks of this process, by name and by file.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use crate::external::{FileIdentity, ProcessLock};
use crate::fork::PerProcess;
use crate::internal::{Named, QueueLock, Registry};

pub(crate) type InternalEntry = Named<str, QueueLock>;
/// Named by the bytes of its path: two spellings of one path are two entries, which the kernel keeps apart.
pub(crate) type ExternalEntry = Named<OsStr, ProcessLock>;

/// So many lock files stay open after their last use, so that a lock taken by name in a loop is not opened each time.
const RECENT: usize = 16;

#[derive(Default)]
struct World {
    internal: Registry<str, QueueLock>,
    external: Registry<OsStr, ProcessLock>,
    recent: Mutex<VecDeque<Recent>>,
}

/// An external lock, and the lock between threads that goes with it.
type Recent = (Arc<ExternalEntry>, Option<Arc<InternalEntry>>);

static WORLD: PerProcess<World> = PerProcess::new();

fn world() -> &'static World {
    WORLD.get_or_make(World::default)
}

/// The lock between threads that has this name.
pub(crate) fn internal(name: &str) -> Arc<InternalEntry> {
    world().internal.get_or_make(name, |_| QueueLock::default())
}

/// The lock on this file, shared by the threads of this process; `internal` is kept as long as it.
pub(crate) fn external(path: &Path, internal: Option<&Arc<InternalEntry>>) -> Arc<ExternalEntry> {
    let mut made = false;
    let entry = world().external.get_or_make(path.as_os_str(), |path| {
        made = true;
        ProcessLock::new(Path::new(path))
    });
    if made {
        let mut recent = world()
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
        drop(oldest); // closes its file, if nobody else uses it: not under the mutex
    }
    entry
}

/// All external locks in use.
pub(crate) fn externals() -> Vec<Arc<ExternalEntry>> {
    world().external.values()
}

/// Whether the calling thread holds an external lock whose file is such a one.
pub(crate) fn this_thread_holds(is: impl Fn(FileIdentity) -> bool) -> bool {
    externals()
        .iter()
        .any(|lock| lock.is_held_by_current_thread() && lock.identity().is_some_and(&is))
}

//! Containers of named locks between threads.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Error;
use super::guard::OnDrop;
use crate::fork::{self, PerProcess};
use crate::named::lock_table::{self, InternalEntry};
use crate::named::long_wait::{LongWait, WARN_AFTER};
use crate::observe;
use crate::once::OnceBox;
use crate::threads::{QueueLock, Registry, current_thread};
use crate::wait::{Wait, WaitLimit};

/// A separate container of named locks between threads, in place of the default one that all
/// callers share.
///
/// Two locks of the same name in two containers are independent. A name is dropped when it is no
/// longer in use.
///
/// ```
/// use oslo_concurrency::lockutils::{self, Semaphores};
///
/// let ours = Semaphores::new();
/// let _a = lockutils::lock("cache").semaphores(&ours).acquire()?;
/// let _b = lockutils::lock("cache").acquire()?; // another lock: the default container's
/// assert_eq!(ours.len(), 1);
/// # Ok::<(), lockutils::Error>(())
/// ```
#[derive(Debug)]
pub struct Semaphores {
    names: OnceBox<Arc<Names>>,
}

/// Each process has its own locks under these names.
type Names = PerProcess<Registry<str, QueueLock>>;

impl Semaphores {
    /// Creates an empty container, which can be a `static`.
    pub const fn new() -> Self {
        Semaphores {
            names: OnceBox::new(),
        }
    }

    /// The lock named `name`.
    pub fn get(&self, name: &str) -> InternalLock {
        InternalLock::new(name, Some(Arc::clone(self.names())))
    }

    /// The number of names in use.
    pub fn len(&self) -> usize {
        self.names().peek().map_or(0, Registry::len)
    }

    /// Returns `true` if no name is in use.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn entry(&self, name: &str) -> Arc<InternalEntry> {
        entry_in(self.names(), name)
    }

    fn names(&self) -> &Arc<Names> {
        self.names.get_or_make(|| Arc::new(PerProcess::new()))
    }
}

fn entry_in(names: &Names, name: &str) -> Arc<InternalEntry> {
    names
        .get_or_make(Registry::default)
        .get_or_make(name, |_| QueueLock::default())
}

impl Default for Semaphores {
    fn default() -> Self {
        Semaphores::new()
    }
}

/// The lock between threads named `name`, from `semaphores`, or from the default container if that
/// is `None`.
///
/// ```
/// use oslo_concurrency::lockutils;
///
/// let lock = lockutils::internal_lock("cache", None);
/// let guard = lock.acquire()?;
/// assert!(matches!(lock.try_acquire(), Err(lockutils::Error::NotAcquired { .. })));
/// # drop(guard);
/// # Ok::<(), lockutils::Error>(())
/// ```
pub fn internal_lock(name: &str, semaphores: Option<&Semaphores>) -> InternalLock {
    InternalLock::new(
        name,
        semaphores.map(|semaphores| Arc::clone(semaphores.names())),
    )
}

/// A named lock between the threads of this process. Its name stays in use as long as this value
/// exists.
///
/// In a forked child, this is the child's own lock of that name. It is free, even if a thread of
/// the parent held the lock.
#[derive(Clone, Debug)]
pub struct InternalLock {
    kept: Arc<Kept>,
}

#[derive(Debug)]
struct Kept {
    name: Box<str>,
    container: Option<Arc<Names>>,
    entry: PerProcess<Arc<InternalEntry>>,
}

impl InternalLock {
    fn new(name: &str, container: Option<Arc<Names>>) -> Self {
        let lock = InternalLock {
            kept: Arc::new(Kept {
                name: name.into(),
                container,
                entry: PerProcess::new(),
            }),
        };
        lock.entry(); // from now on the name is in use
        lock
    }

    fn entry(&self) -> &Arc<InternalEntry> {
        let Kept {
            name,
            container,
            entry,
        } = &*self.kept;
        entry.get_or_make(|| match container {
            None => lock_table::internal(name),
            Some(names) => entry_in(names, name),
        })
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// Returns [`Error::WouldDeadlock`] if this thread holds the lock.
    pub fn acquire(&self) -> Result<InternalGuard, Error> {
        self.acquire_within(Wait::Forever)
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] if the lock is held.
    pub fn try_acquire(&self) -> Result<InternalGuard, Error> {
        self.acquire_within(Wait::Never)
    }

    /// Waits for the lock for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`] if the timeout expires, and [`Error::WouldDeadlock`] if this
    /// thread holds the lock.
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<InternalGuard, Error> {
        self.acquire_within(Wait::at_most(timeout))
    }

    /// The lock's name.
    pub fn name(&self) -> &str {
        &self.kept.name
    }

    fn acquire_within(&self, wait: Wait) -> Result<InternalGuard, Error> {
        let entry = self.entry();
        let warn = |waited| {
            let long_wait = LongWait {
                name: self.name().to_owned(),
                function: "",
                waiter: current_thread(),
                internal: Some(Arc::clone(entry)),
                external: None,
            };
            long_wait.warn(waited, Duration::ZERO)
        };
        entry
            .acquire_with_limit(wait, &mut WaitLimit::with_warning(WARN_AFTER, &warn))
            .map_err(|failure| Error::not_acquired(self.name(), failure))?;
        let guard = InternalGuard {
            entry: Some(Arc::clone(entry)),
            generation: fork::generation(),
            _on_this_thread: PhantomData,
        };
        observe::acquired(|| self.name().into());
        Ok(guard)
    }
}

/// A held [`InternalLock`]. Dropping the guard releases the lock.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct InternalGuard {
    entry: Option<Arc<InternalEntry>>,
    generation: u64,
    _on_this_thread: PhantomData<*const ()>,
}

impl Drop for InternalGuard {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        if self.generation == fork::generation() {
            let _release = OnDrop(|| entry.release());
            observe::releasing(|| entry.key().into());
        } else {
            std::mem::forget(entry);
        }
    }
}

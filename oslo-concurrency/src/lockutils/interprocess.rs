//! A lock on one file, without a name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::guard::OnDrop;
use super::{Error, config, name};
use crate::fork::{self, PerProcess};
use crate::named::acquire::{Request, acquire_file};
use crate::named::lock_table::{self, ExternalEntry, ThreadHold};
use crate::named::long_wait::{LongWait, WARN_AFTER};
use crate::observe;
use crate::sys::FileIdentity;
use crate::threads::current_thread;
use crate::wait::{Wait, WaitLimit};

/// The file lock that [`lock`](super::lock)`(name).external(true)` acquires, without the
/// accompanying lock between threads.
///
/// # Errors
/// Returns [`Error::LockPathRequired`] if no lock path is set, and [`Error::InvalidName`] if the
/// name cannot become a file name.
///
/// ```
/// use oslo_concurrency::lockutils;
///
/// let directory = tempfile::tempdir().unwrap();
/// let lock = lockutils::external_lock("db", Some("myapp"), Some(directory.path()))?;
/// let _guard = lock.acquire()?;
/// assert!(directory.path().join("myapp-db").exists());
/// # Ok::<(), lockutils::Error>(())
/// ```
pub fn external_lock(
    name: &str,
    prefix: Option<&str>,
    lock_path: Option<&Path>,
) -> Result<InterProcessLock, Error> {
    Ok(InterProcessLock::new(lock_file_path(
        name, prefix, lock_path,
    )?))
}

/// The path of the lock file of a named lock.
pub(crate) fn lock_file_path(
    name: &str,
    prefix: Option<&str>,
    lock_path: Option<&Path>,
) -> Result<PathBuf, Error> {
    let file = name::file_name(prefix, name)?;
    config::with_lock_path(lock_path, |directory| match directory {
        Some(directory) => Ok(directory.join(&*file)),
        None => Err(Error::LockPathRequired {
            name: name.to_owned(),
        }),
    })
}

/// A lock on a file, which excludes other processes and other threads.
///
/// The file stays open as long as this value exists, so acquiring the lock again needs no `open`. A
/// forked child may go on using the value: there it is a separate lock on the same file, which the
/// child opens again.
///
/// ```
/// use oslo_concurrency::lockutils::{Error, InterProcessLock};
///
/// let directory = tempfile::tempdir().unwrap();
/// let lock = InterProcessLock::new(directory.path().join("cache.lock"));
/// let guard = lock.acquire()?;
/// assert!(matches!(lock.try_acquire(), Err(Error::NotAcquired { .. })));
/// drop(guard);
/// lock.try_acquire()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct InterProcessLock {
    kept: Arc<Kept>,
}

#[derive(Debug)]
struct Kept {
    path: PathBuf,
    entry: PerProcess<Arc<ExternalEntry>>,
}

impl InterProcessLock {
    /// Creates a lock on the file at `path`. The file is created when the lock is first acquired.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let lock = InterProcessLock {
            kept: Arc::new(Kept {
                path: path.as_ref().to_owned(),
                entry: PerProcess::new(),
            }),
        };
        lock.entry(); // from now on the file stays open after its first use
        lock
    }

    /// The path of the lock file.
    pub fn path(&self) -> &Path {
        &self.kept.path
    }

    fn entry(&self) -> &Arc<ExternalEntry> {
        self.kept
            .entry
            .get_or_make(|| lock_table::external(&self.kept.path, None))
    }

    /// Waits for the lock.
    ///
    /// # Errors
    /// Returns [`Error::WouldDeadlock`] if this thread holds the lock, and [`Error::Io`] if the
    /// file cannot be opened or locked.
    pub fn acquire(&self) -> Result<InterProcessGuard, Error> {
        self.acquire_within(Wait::Forever)
    }

    /// Acquires the lock if it is free.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] if the lock is held, and [`Error::Io`].
    pub fn try_acquire(&self) -> Result<InterProcessGuard, Error> {
        self.acquire_within(Wait::Never)
    }

    /// Waits for the lock for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`], [`Error::WouldDeadlock`], [`Error::TimerUnavailable`] and
    /// [`Error::Io`].
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<InterProcessGuard, Error> {
        self.acquire_within(Wait::at_most(timeout))
    }

    /// The identity of the open file, if there is one.
    pub(crate) fn identity(&self) -> Option<FileIdentity> {
        self.entry().identity()
    }

    fn acquire_within(&self, wait: Wait) -> Result<InterProcessGuard, Error> {
        let entry = self.entry();
        let warn = |waited| {
            let long_wait = LongWait {
                name: self.path().to_string_lossy().into_owned(),
                function: "",
                waiter: current_thread(),
                internal: None,
                external: Some(Arc::clone(entry)),
            };
            long_wait.warn(waited, Duration::ZERO)
        };
        let held_here = |file| lock_table::this_thread_holds(file, entry);
        let request = Request {
            wait,
            fair: false,
            held_here: lock_table::this_thread_holds_files().then_some(&held_here),
        };
        acquire_file(
            entry,
            request,
            &mut WaitLimit::with_warning(WARN_AFTER, &warn),
        )
        .map_err(|failure| Error::on_file(&self.path().to_string_lossy(), failure))?;
        let guard = InterProcessGuard {
            entry: Some(Arc::clone(entry)),
            generation: fork::generation(),
            _held_here: ThreadHold::begin(),
        };
        observe::acquired(|| self.path().to_string_lossy());
        Ok(guard)
    }
}

/// A held [`InterProcessLock`]. Dropping the guard releases the lock.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct InterProcessGuard {
    entry: Option<Arc<ExternalEntry>>,
    generation: u64,
    _held_here: ThreadHold,
}

impl Drop for InterProcessGuard {
    fn drop(&mut self) {
        let Some(entry) = self.entry.take() else {
            return;
        };
        if self.generation == fork::generation() {
            let _release = OnDrop(|| entry.release(false));
            observe::releasing(|| entry.key().to_string_lossy());
        } else {
            std::mem::forget(entry);
        }
    }
}

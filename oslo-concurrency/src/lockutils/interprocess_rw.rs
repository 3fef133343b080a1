//! A reader-writer lock on one file, between processes.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Error;
use crate::external::{Failure, LockFile, Mode};
use crate::fork::{self, PerProcess};
use crate::internal::current_thread;
use crate::wait::{Missed, Wait};

/// A lock on a file that many hold for reading or one for writing, between processes and between threads.
///
/// It excludes, and is excluded by, fasteners' `InterProcessReaderWriterLock` on the same file, which takes the same shared and
/// exclusive record locks. The kernel lets a new reader in while a writer waits: readers that never pause starve writers.
///
/// A thread that reads may read again; it may not write ([`Error::UpgradeRefused`]), and a thread that writes may neither read
/// nor write again ([`Error::WouldDeadlock`]).
///
/// ```
/// use oslo_concurrency::lockutils::{Error, InterProcessReaderWriterLock};
///
/// let directory = tempfile::tempdir().unwrap();
/// let lock = InterProcessReaderWriterLock::new(directory.path().join("index.lock"));
/// let reader = lock.read()?;
/// assert!(matches!(lock.write(), Err(Error::UpgradeRefused { .. })));
/// drop(reader);
/// let _writer = lock.write()?;
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct InterProcessReaderWriterLock {
    path: PathBuf,
    files: PerProcess<Mutex<Files>>,
}

/// Each hold has an open file description of its own, so that the kernel keeps the threads of a process apart as well.
#[derive(Debug, Default)]
struct Files {
    /// Open and not locked.
    idle: Vec<LockFile>,
    held: Vec<(u64, Mode)>,
}

impl InterProcessReaderWriterLock {
    /// A lock on the file at `path`, which is made when the lock is first acquired.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        InterProcessReaderWriterLock {
            path: path.into(),
            files: PerProcess::new(),
        }
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until nobody writes, and reads.
    ///
    /// # Errors
    /// [`Error::WouldDeadlock`] if this thread writes, [`Error::Io`] if the file cannot be opened or locked.
    pub fn read(&self) -> Result<InterProcessReadGuard<'_>, Error> {
        Ok(InterProcessReadGuard {
            _hold: self.acquire(Mode::Shared, Wait::Forever)?,
        })
    }

    /// Reads if nobody writes.
    ///
    /// # Errors
    /// [`Error::NotAcquired`] and [`Error::Io`].
    pub fn try_read(&self) -> Result<InterProcessReadGuard<'_>, Error> {
        Ok(InterProcessReadGuard {
            _hold: self.acquire(Mode::Shared, Wait::Never)?,
        })
    }

    /// Waits to read, `timeout` at most.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::WouldDeadlock`] and [`Error::Io`].
    pub fn read_timeout(&self, timeout: Duration) -> Result<InterProcessReadGuard<'_>, Error> {
        Ok(InterProcessReadGuard {
            _hold: self.acquire(Mode::Shared, Wait::at_most(timeout))?,
        })
    }

    /// Waits until nobody else reads or writes, and writes.
    ///
    /// # Errors
    /// [`Error::UpgradeRefused`] if this thread reads, [`Error::WouldDeadlock`] if it writes, and [`Error::Io`].
    pub fn write(&self) -> Result<InterProcessWriteGuard<'_>, Error> {
        Ok(InterProcessWriteGuard {
            _hold: self.acquire(Mode::Exclusive, Wait::Forever)?,
        })
    }

    /// Writes if nobody reads or writes.
    ///
    /// # Errors
    /// [`Error::NotAcquired`], [`Error::UpgradeRefused`] if this thread reads, and [`Error::Io`].
    pub fn try_write(&self) -> Result<InterProcessWriteGuard<'_>, Error> {
        Ok(InterProcessWriteGuard {
            _hold: self.acquire(Mode::Exclusive, Wait::Never)?,
        })
    }

    /// Waits to write, `timeout` at most.
    ///
    /// # Errors
    /// [`Error::Timeout`], [`Error::UpgradeRefused`] if this thread reads, [`Error::WouldDeadlock`] if it writes, and [`Error::Io`].
    pub fn write_timeout(&self, timeout: Duration) -> Result<InterProcessWriteGuard<'_>, Error> {
        Ok(InterProcessWriteGuard {
            _hold: self.acquire(Mode::Exclusive, Wait::at_most(timeout))?,
        })
    }

    fn acquire(&self, mode: Mode, wait: Wait) -> Result<Hold<'_>, Error> {
        let thread = current_thread();
        self.refuse_a_wait_for_ourselves(thread, mode, wait)?;
        let file = self
            .lock(mode, wait)
            .map_err(|failure| Error::external(&self.name(), failure))?;
        self.files().held.push((thread, mode));
        Ok(Hold {
            lock: self,
            file: Some(file),
            thread,
            mode,
            generation: fork::generation(),
            _on_this_thread: PhantomData,
        })
    }

    fn refuse_a_wait_for_ourselves(
        &self,
        thread: u64,
        mode: Mode,
        wait: Wait,
    ) -> Result<(), Error> {
        let files = self.files();
        let holds = |mode| files.held.contains(&(thread, mode));
        let name = self.name();
        if holds(Mode::Exclusive) {
            return Err(match wait {
                Wait::Never => Error::NotAcquired { name },
                _ => Error::WouldDeadlock { name },
            });
        }
        if mode == Mode::Exclusive && holds(Mode::Shared) {
            return Err(Error::UpgradeRefused { name });
        }
        Ok(())
    }

    fn lock(&self, mode: Mode, wait: Wait) -> Result<LockFile, Failure> {
        let io = |source| Failure::Io {
            path: self.path.clone(),
            source,
        };
        loop {
            let idle = self.files().idle.pop();
            let file = match idle {
                Some(file) => file,
                None => LockFile::open(&self.path).map_err(io)?,
            };
            if !file.try_lock(mode, &self.path).map_err(io)? {
                let outcome = match wait {
                    Wait::Never => Err(Missed::Busy),
                    wait => file.lock(mode, wait, &self.path).map_err(io)?,
                };
                if let Err(missed) = outcome {
                    self.files().idle.push(file);
                    return Err(missed.into());
                }
            }
            // A file that was removed or replaced meanwhile excludes nobody: closing it frees the lock, and we try the new one.
            if file.is_at(&self.path).map_err(io)? {
                return Ok(file);
            }
        }
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files
            .get_or_make(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

#[derive(Debug)]
struct Hold<'a> {
    lock: &'a InterProcessReaderWriterLock,
    file: Option<LockFile>,
    thread: u64,
    mode: Mode,
    generation: u64,
    _on_this_thread: PhantomData<*const ()>,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if self.generation != fork::generation() {
            return; // the child's copy of the descriptor was closed by the fork
        }
        file.unlock();
        let mut files = self.lock.files();
        if let Some(hold) = files
            .held
            .iter()
            .position(|&held| held == (self.thread, self.mode))
        {
            files.held.swap_remove(hold);
        }
        files.idle.push(file);
    }
}

/// An [`InterProcessReaderWriterLock`] held for reading, until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct InterProcessReadGuard<'a> {
    _hold: Hold<'a>,
}

/// An [`InterProcessReaderWriterLock`] held for writing, until this is dropped.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct InterProcessWriteGuard<'a> {
    _hold: Hold<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn elsewhere<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    #[test]
    fn threads_share_reads_and_exclude_writes() {
        let directory = tempfile::tempdir().unwrap();
        let lock = InterProcessReaderWriterLock::new(directory.path().join("a/b.lock"));
        let reader = lock.read().unwrap();
        elsewhere(|| {
            drop(lock.try_read().unwrap());
            assert!(matches!(lock.try_write(), Err(Error::NotAcquired { .. })));
        });
        drop(reader);
        let writer = lock.write().unwrap();
        assert!(matches!(lock.read(), Err(Error::WouldDeadlock { .. })));
        elsewhere(|| {
            let timeout = Duration::from_millis(2);
            assert!(matches!(
                lock.read_timeout(timeout),
                Err(Error::Timeout { .. })
            ));
        });
        drop(writer);
        elsewhere(|| drop(lock.try_write().unwrap()));
    }

    #[test]
    fn a_removed_file_is_not_locked_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.lock");
        let (one, two) = (
            InterProcessReaderWriterLock::new(&path),
            InterProcessReaderWriterLock::new(&path),
        );
        drop(one.write().unwrap());
        std::fs::remove_file(&path).unwrap();
        let writer = one.write().unwrap();
        assert!(matches!(two.try_read(), Err(Error::NotAcquired { .. })));
        drop(writer);
        drop(two.try_read().unwrap());
    }
}

//! A reader-writer lock on one file, between processes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Error;
use crate::files::shared_holds::{Held, held};
use crate::files::{Failure, FileIdentity, LockFile, Mode};
use crate::fork::{self, PerProcess};
use crate::named::lock_table::{self, ThreadHold};
use crate::threads::current_thread;
use crate::wait::{Missed, Patience, Wait};

/// A lock file found replaced this often in one acquire is not replaced by anybody: its file system has no stable inodes.
const REPLACED_TOO_OFTEN: usize = 10_000;
/// So many files stay open between two holds. The threads that read at the same time need one each, but only then.
const IDLE_AT_MOST: usize = 2;

/// A lock on a file with many readers or one writer, between processes and between threads.
///
/// It and fasteners' `InterProcessReaderWriterLock` on the same file exclude each other, because
/// both take the same shared and exclusive record locks. The kernel admits a new reader while a
/// writer waits, so readers that never pause starve writers.
///
/// A thread that holds the lock for reading may acquire it for reading again, but not for writing
/// ([`Error::UpgradeRefused`]). A thread that holds it for writing may acquire it neither for
/// reading nor for writing ([`Error::WouldDeadlock`]). This applies to all values on the same file.
///
/// fasteners differs here: its locks belong to the process, so its threads do not exclude each
/// other, a second acquire converts the first hold to the other kind, and the first release ends
/// both.
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
    path: Arc<Path>,
    /// Open and not locked. Each hold has an open file description of its own, so that the kernel keeps the threads of a process apart as well.
    idle: PerProcess<Mutex<Vec<LockFile>>>,
}

impl InterProcessReaderWriterLock {
    /// Creates a lock on the file at `path`. The file is created when the lock is first acquired.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        InterProcessReaderWriterLock {
            path: path.into().into(),
            idle: PerProcess::new(),
        }
    }

    /// The path of the lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Acquires the lock for reading; waits while there is a writer.
    ///
    /// # Errors
    /// Returns [`Error::WouldDeadlock`] if this thread is the writer, and [`Error::Io`] if the file
    /// cannot be opened or locked.
    pub fn read(&self) -> Result<InterProcessReadGuard<'_>, Error> {
        Ok(InterProcessReadGuard {
            _hold: self.acquire(Mode::Shared, Wait::Forever)?,
        })
    }

    /// Acquires the lock for reading, unless there is a writer.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] if there is a writer, and [`Error::Io`].
    pub fn try_read(&self) -> Result<InterProcessReadGuard<'_>, Error> {
        Ok(InterProcessReadGuard {
            _hold: self.acquire(Mode::Shared, Wait::Never)?,
        })
    }

    /// Acquires the lock for reading; waits for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`], [`Error::WouldDeadlock`], [`Error::TimerUnavailable`] and
    /// [`Error::Io`].
    pub fn read_timeout(&self, timeout: Duration) -> Result<InterProcessReadGuard<'_>, Error> {
        Ok(InterProcessReadGuard {
            _hold: self.acquire(Mode::Shared, Wait::at_most(timeout))?,
        })
    }

    /// Acquires the lock for writing; waits while there are other readers or a writer.
    ///
    /// # Errors
    /// Returns [`Error::UpgradeRefused`] if this thread is a reader, [`Error::WouldDeadlock`] if it
    /// is the writer, and [`Error::Io`].
    pub fn write(&self) -> Result<InterProcessWriteGuard<'_>, Error> {
        Ok(InterProcessWriteGuard {
            _hold: self.acquire(Mode::Exclusive, Wait::Forever)?,
        })
    }

    /// Acquires the lock for writing, unless there are readers or a writer.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] if the lock is held, [`Error::UpgradeRefused`] if this thread
    /// is a reader, and [`Error::Io`].
    pub fn try_write(&self) -> Result<InterProcessWriteGuard<'_>, Error> {
        Ok(InterProcessWriteGuard {
            _hold: self.acquire(Mode::Exclusive, Wait::Never)?,
        })
    }

    /// Acquires the lock for writing; waits for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`], [`Error::UpgradeRefused`] if this thread is a reader,
    /// [`Error::WouldDeadlock`] if it is the writer, [`Error::TimerUnavailable`] and [`Error::Io`].
    pub fn write_timeout(&self, timeout: Duration) -> Result<InterProcessWriteGuard<'_>, Error> {
        Ok(InterProcessWriteGuard {
            _hold: self.acquire(Mode::Exclusive, Wait::at_most(timeout))?,
        })
    }

    fn acquire(&self, mode: Mode, wait: Wait) -> Result<Hold<'_>, Error> {
        let thread = current_thread();
        self.refuse_a_wait_for_ourselves(thread, mode, wait, None)?;
        for _ in 0..REPLACED_TOO_OFTEN {
            let idle = self.idle().pop();
            let file = match idle {
                Some(file) => file,
                None => LockFile::open(&self.path, wait, &mut Patience::silent())
                    .map_err(|source| self.io(source))?
                    .map_err(|missed| Error::missed(&self.name(), missed))?,
            };
            match self.lock(&file, thread, mode, wait) {
                Ok(true) => {}
                Ok(false) => continue,
                Err(error) => {
                    self.keep(file);
                    return Err(error);
                }
            }
            // A file that was removed or replaced meanwhile excludes nobody: closing it frees the lock, and we try the new one.
            if self.names(&file)? {
                let what = Held {
                    path: Arc::clone(&self.path),
                    file: file.identity(),
                    thread,
                    mode,
                };
                held().push(what.clone());
                return Ok(Hold {
                    lock: self,
                    file: Some(file),
                    what,
                    generation: fork::generation(),
                    _held_here: ThreadHold::begin(),
                });
            }
        }
        Err(self.io(std::io::Error::other(
            "its inode number changes whenever we look; put the lock path on a file system with stable inode numbers",
        )))
    }

    fn names(&self, file: &LockFile) -> Result<bool, Error> {
        #[cfg(test)]
        if tests::INODES_ARE_UNSTABLE.get() {
            return Ok(false);
        }
        file.is_at(&*self.path).map_err(|source| self.io(source))
    }

    /// For the next hold, unless enough are kept.
    fn keep(&self, file: LockFile) {
        let mut idle = self.idle();
        let one_too_many = if idle.len() < IDLE_AT_MOST {
            idle.push(file);
            None
        } else {
            Some(file)
        };
        drop(idle);
        drop(one_too_many); // closes it: not under the mutex
    }

    /// `false` if the path leads to another file than this one, which the thread holds under another name.
    fn lock(&self, file: &LockFile, thread: u64, mode: Mode, wait: Wait) -> Result<bool, Error> {
        let tried = file.try_lock(mode, &self.path);
        if tried.map_err(|source| self.io(source))? {
            return Ok(true);
        }
        let refused = self.refuse_a_wait_for_ourselves(thread, mode, wait, Some(file.identity()));
        if refused.is_err() && !self.names(file)? {
            return Ok(false);
        }
        refused?;
        let outcome = match wait {
            Wait::Never => Err(Missed::Busy),
            wait => file
                .lock(mode, wait, &self.path)
                .map_err(|source| self.io(source))?,
        };
        outcome
            .map(|()| true)
            .map_err(|missed| Error::missed(&self.name(), missed))
    }

    /// `file` is the one that is locked already, by whomever: by this thread under another path, or as an `InterProcessLock`?
    fn refuse_a_wait_for_ourselves(
        &self,
        thread: u64,
        mode: Mode,
        wait: Wait,
        file: Option<FileIdentity>,
    ) -> Result<(), Error> {
        let holds_otherwise =
            file.is_some_and(|file| lock_table::this_thread_holds_by(file, |_| true));
        let held = held();
        let holds = |mode| {
            held.iter().any(|held| {
                held.thread == thread
                    && held.mode == mode
                    && (held.path == self.path || Some(held.file) == file)
            })
        };
        let name = self.name();
        if holds(Mode::Exclusive) || holds_otherwise {
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

    fn idle(&self) -> MutexGuard<'_, Vec<LockFile>> {
        self.idle
            .get_or_make(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, source: std::io::Error) -> Error {
        let path = self.path.to_path_buf();
        Error::external(&self.name(), Failure::Io { path, source })
    }

    fn name(&self) -> String {
        self.path.to_string_lossy().into_owned()
    }
}

#[derive(Debug)]
struct Hold<'a> {
    lock: &'a InterProcessReaderWriterLock,
    file: Option<LockFile>,
    what: Held,
    generation: u64,
    _held_here: ThreadHold,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        let Some(file) = self.file.take() else { return };
        if self.generation != fork::generation() {
            return; // the child's copy of the descriptor was closed by the fork
        }
        file.unlock();
        let mut held = held();
        if let Some(hold) = held.iter().position(|held| *held == self.what) {
            held.swap_remove(hold);
        }
        drop(held);
        self.lock.keep(file);
    }
}

/// An [`InterProcessReaderWriterLock`] held for reading. Dropping the guard releases it.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct InterProcessReadGuard<'a> {
    _hold: Hold<'a>,
}

/// An [`InterProcessReaderWriterLock`] held for writing. Dropping the guard releases it.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct InterProcessWriteGuard<'a> {
    _hold: Hold<'a>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lockutils::InterProcessLock;
    use std::cell::Cell;
    use std::thread;

    thread_local!(pub(super) static INODES_ARE_UNSTABLE: Cell<bool> = const { Cell::new(false) });

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
    fn unstable_inode_numbers_are_an_error_and_not_an_endless_loop() {
        let directory = tempfile::tempdir().unwrap();
        let lock = InterProcessReaderWriterLock::new(directory.path().join("index.lock"));
        INODES_ARE_UNSTABLE.set(true);
        for error in [lock.read().map(drop), lock.try_write().map(drop)] {
            let error = error.unwrap_err();
            assert!(error.to_string().contains("stable inode"), "{error}");
        }
        INODES_ARE_UNSTABLE.set(false);
        drop(lock.write().expect("no try has left it locked"));
    }

    fn open_files_in(directory: &Path) -> usize {
        let open = std::fs::read_dir("/proc/self/fd").unwrap();
        open.flatten()
            .filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .filter(|file| file.starts_with(directory))
            .count()
    }

    #[test]
    fn many_who_have_read_at_once_do_not_leave_their_files_open() {
        const READERS: usize = 20;
        let directory = tempfile::tempdir().unwrap();
        let lock = InterProcessReaderWriterLock::new(directory.path().join("index.lock"));
        let all_read = std::sync::Barrier::new(READERS);
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| {
                    let _reader = lock.read().unwrap();
                    all_read.wait();
                });
            }
        });
        let open = open_files_in(directory.path());
        assert!(open <= IDLE_AT_MOST, "{open}");
        // Those that fail leave none open either.
        let writer = lock.write().unwrap();
        thread::scope(|scope| {
            for _ in 0..READERS {
                scope.spawn(|| assert!(lock.try_read().is_err()));
            }
        });
        drop(writer);
        let open = open_files_in(directory.path());
        assert!(open <= IDLE_AT_MOST + 1, "{open}");
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

    #[test]
    fn a_thread_does_not_wait_for_itself_by_whatever_value_or_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.lock");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(directory.path(), &link).unwrap();
        let one = InterProcessReaderWriterLock::new(&path);
        let others = [path.clone(), link.join("index.lock")].map(InterProcessReaderWriterLock::new);
        let exclusive = InterProcessLock::new(&path);
        let reader = one.read().unwrap();
        for other in &others {
            drop(other.read().expect("readers share"));
            assert!(matches!(other.write(), Err(Error::UpgradeRefused { .. })));
        }
        assert!(matches!(
            exclusive.acquire(),
            Err(Error::WouldDeadlock { .. })
        ));
        drop(reader);
        let writer = one.write().unwrap();
        for other in &others {
            assert!(matches!(other.read(), Err(Error::WouldDeadlock { .. })));
            assert!(matches!(other.write(), Err(Error::WouldDeadlock { .. })));
            assert!(matches!(other.try_read(), Err(Error::NotAcquired { .. })));
        }
        drop(writer);
        let guard = exclusive.acquire().unwrap();
        assert!(matches!(one.read(), Err(Error::WouldDeadlock { .. })));
        drop(guard);
        drop(one.write().unwrap());
    }
}

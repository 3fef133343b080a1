//! A reader-writer lock on one file, between processes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use crate::files::reader_writer::{FileHold, FileReaderWriter, FileReaderWriterError};
use crate::named::lock_table::{self, ThreadHold};
use crate::sys::Mode;
use crate::wait::Wait;

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
    lock: FileReaderWriter,
}

impl InterProcessReaderWriterLock {
    /// Creates a lock on the file at `path`. The file is created when the lock is first acquired.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        InterProcessReaderWriterLock {
            lock: FileReaderWriter::new(path.into().into()),
        }
    }

    /// The path of the lock file.
    pub fn path(&self) -> &Path {
        self.lock.path()
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
        let held_otherwise = |file| lock_table::this_thread_holds_by(file, |_| true);
        let hold = self
            .lock
            .acquire(mode, wait, &held_otherwise)
            .map_err(|error| self.named(error))?;
        Ok(Hold {
            _hold: hold,
            _held_here: ThreadHold::begin(),
        })
    }

    #[cold]
    fn named(&self, error: FileReaderWriterError) -> Error {
        let name = self.path().to_string_lossy();
        match error {
            FileReaderWriterError::File(error) => Error::on_file(&name, error),
            FileReaderWriterError::UpgradeRefused => Error::UpgradeRefused {
                name: name.into_owned(),
            },
        }
    }
}

#[derive(Debug)]
struct Hold<'a> {
    _hold: FileHold<'a>,
    _held_here: ThreadHold,
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
    #[cfg(target_os = "linux")]
    use crate::files::reader_writer::IDLE_AT_MOST;
    use crate::files::reader_writer::INODES_ARE_UNSTABLE;
    use crate::lockutils::InterProcessLock;
    #[cfg(target_os = "linux")]
    use crate::sys::for_tests::open_files_in;
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

    #[cfg(target_os = "linux")] // which shows the open files of a process
    #[test]
    fn many_simultaneous_readers_do_not_leave_their_files_open() {
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
        // Refused attempts leave no file open either.
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

    /// Another path of the file `name` in `directory`.
    #[cfg(unix)]
    fn second_path(directory: &Path, name: &str) -> PathBuf {
        let link = directory.join("link");
        std::os::unix::fs::symlink(directory, &link).unwrap();
        link.join(name)
    }

    #[cfg(windows)]
    fn second_path(directory: &Path, name: &str) -> PathBuf {
        directory.join(name.to_uppercase())
    }

    #[test]
    fn a_thread_does_not_wait_for_itself_by_whatever_value_or_path() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("index.lock");
        let one = InterProcessReaderWriterLock::new(&path);
        let others = [path.clone(), second_path(directory.path(), "index.lock")];
        let others = others.map(InterProcessReaderWriterLock::new);
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

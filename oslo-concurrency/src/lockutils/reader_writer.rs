//! A reader-writer lock between the threads of this process.

use std::marker::PhantomData;
use std::time::Duration;

use super::Error;
use crate::threads::reader_writer::{Access, Hold, ReaderWriter, ReaderWriterFailure};
use crate::wait::Wait;

/// A lock with many readers or one writer, between threads.
///
/// It behaves like fasteners' `ReaderWriterLock` (0.20), which oslo uses:
///
/// * A reader may acquire the lock for reading again.
/// * A writer may acquire it again, for writing or for reading. If it releases the write lock
///   first, it remains a reader.
/// * A reader may not acquire it for writing ([`Error::UpgradeRefused`], `RuntimeError` in
///   fasteners).
/// * Writers are preferred: while a writer waits, new readers wait behind it, so a stream of
///   readers cannot starve a writer. Writers are served in order of arrival.
///
/// In a forked child the lock is free, even if a thread of the parent held it.
///
/// ```
/// use oslo_concurrency::lockutils::{Error, ReaderWriterLock};
///
/// static INDEX: ReaderWriterLock = ReaderWriterLock::new("index");
///
/// let reader = INDEX.read()?;
/// let same_thread_again = INDEX.read()?;
/// assert!(matches!(INDEX.write(), Err(Error::UpgradeRefused { .. })));
/// drop((reader, same_thread_again));
///
/// let writer = INDEX.write()?;
/// assert!(INDEX.is_writer());
/// # drop(writer);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug)]
pub struct ReaderWriterLock {
    name: &'static str,
    lock: ReaderWriter,
}

/// The kind of hold on a [`ReaderWriterLock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// One or more threads hold the lock for reading.
    Readers,
    /// One thread holds the lock for writing.
    Writer,
}

impl ReaderWriterLock {
    /// Creates a free lock, which can be a `static`. The name appears in messages only: two locks
    /// of the same name are independent.
    pub const fn new(name: &'static str) -> Self {
        ReaderWriterLock {
            name,
            lock: ReaderWriter::new(),
        }
    }

    /// Acquires the lock for reading; waits while another thread writes or waits to write.
    ///
    /// # Errors
    /// There are currently none.
    pub fn read(&self) -> Result<ReadGuard<'_>, Error> {
        self.acquire(Access::Read, Wait::Forever).map(ReadGuard)
    }

    /// Acquires the lock for reading, if that is possible without waiting.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] otherwise.
    pub fn try_read(&self) -> Result<ReadGuard<'_>, Error> {
        self.acquire(Access::Read, Wait::Never).map(ReadGuard)
    }

    /// Acquires the lock for reading; waits for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`] if the timeout expires.
    pub fn read_timeout(&self, timeout: Duration) -> Result<ReadGuard<'_>, Error> {
        self.acquire(Access::Read, Wait::at_most(timeout))
            .map(ReadGuard)
    }

    /// Acquires the lock for writing; waits while another thread reads or writes.
    ///
    /// # Errors
    /// Returns [`Error::UpgradeRefused`] if this thread is a reader.
    pub fn write(&self) -> Result<WriteGuard<'_>, Error> {
        self.acquire(Access::Write, Wait::Forever).map(WriteGuard)
    }

    /// Acquires the lock for writing, if that is possible without waiting.
    ///
    /// # Errors
    /// Returns [`Error::UpgradeRefused`] if this thread is a reader, and [`Error::NotAcquired`] if
    /// the lock is held.
    pub fn try_write(&self) -> Result<WriteGuard<'_>, Error> {
        self.acquire(Access::Write, Wait::Never).map(WriteGuard)
    }

    /// Acquires the lock for writing; waits for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`] if the timeout expires, and [`Error::UpgradeRefused`] if this
    /// thread is a reader.
    pub fn write_timeout(&self, timeout: Duration) -> Result<WriteGuard<'_>, Error> {
        self.acquire(Access::Write, Wait::at_most(timeout))
            .map(WriteGuard)
    }

    /// Returns `true` if the calling thread holds the lock for reading.
    pub fn is_reader(&self) -> bool {
        self.lock.is_held_by_current_thread(Access::Read)
    }

    /// Returns `true` if the calling thread holds the lock for writing.
    pub fn is_writer(&self) -> bool {
        self.lock.is_held_by_current_thread(Access::Write)
    }

    /// Returns `true` if a thread is waiting to write.
    pub fn has_pending_writers(&self) -> bool {
        self.lock.has_pending_writers()
    }

    /// The kind of hold, or `None` if the lock is free.
    pub fn owner(&self) -> Option<Owner> {
        self.lock.held().map(|access| match access {
            Access::Read => Owner::Readers,
            Access::Write => Owner::Writer,
        })
    }

    #[inline]
    fn acquire(&self, access: Access, wait: Wait) -> Result<PinnedHold<'_>, Error> {
        let hold = self
            .lock
            .acquire(access, wait)
            .map_err(|failure| match failure {
                ReaderWriterFailure::NotAcquired(failure) => {
                    Error::not_acquired(self.name, failure)
                }
                ReaderWriterFailure::UpgradeRefused => Error::UpgradeRefused {
                    name: self.name.to_owned(),
                },
            })?;
        Ok(PinnedHold {
            _hold: hold,
            _on_this_thread: PhantomData,
        })
    }
}

/// A hold that stays on its thread.
#[derive(Debug)]
struct PinnedHold<'a> {
    _hold: Hold<'a>,
    _on_this_thread: PhantomData<*const ()>,
}

/// A [`ReaderWriterLock`] held for reading. Dropping the guard releases it.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReadGuard<'a>(
    #[expect(dead_code, reason = "dropping it releases the lock")] PinnedHold<'a>,
);

/// A [`ReaderWriterLock`] held for writing. Dropping the guard releases it.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct WriteGuard<'a>(
    #[expect(dead_code, reason = "dropping it releases the lock")] PinnedHold<'a>,
);

//! A reader-writer lock between the threads of this process.

use std::marker::PhantomData;
use std::time::Duration;

use super::Error;
use crate::fork::{self, PerProcess};
use crate::sync::{Condvar, Instant, Mutex, MutexGuard, PoisonError, lock};
use crate::threads::current_thread;
use crate::wait::{Missed, Wait};

/// A lock with many readers or one writer, between threads.
///
/// It behaves like fasteners' `ReaderWriterLock` (0.20), which oslo uses:
///
/// * A reader may acquire the lock for reading again.
/// * A writer may acquire it again, for writing or for reading. If it releases the write lock first,
///   it remains a reader.
/// * A reader may not acquire it for writing ([`Error::UpgradeRefused`], `RuntimeError` in fasteners).
/// * Writers are preferred: while a writer waits, new readers wait behind it, so a stream of readers
///   cannot starve a writer. Writers are served in order of arrival.
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
    inner: PerProcess<Inner>,
}

/// The kind of hold on a [`ReaderWriterLock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// One or more threads hold the lock for reading.
    Readers,
    /// One thread holds the lock for writing.
    Writer,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// A thread number for each hold.
    readers: Vec<u64>,
    writer: Option<u64>,
    /// How often the writer holds it for writing.
    writes: usize,
    /// The tickets of the writers that wait, oldest first.
    pending: Vec<u64>,
    next_ticket: u64,
}

impl State {
    fn reads(&self, thread: u64) -> bool {
        self.readers.contains(&thread)
    }

    fn may_read(&self, thread: u64) -> bool {
        match self.writer {
            Some(writer) => writer == thread,
            None => self.pending.is_empty() || self.reads(thread),
        }
    }
}

impl ReaderWriterLock {
    /// Creates a free lock, which can be a `static`. The name appears in messages only: two locks
    /// of the same name are independent.
    pub const fn new(name: &'static str) -> Self {
        ReaderWriterLock {
            name,
            inner: PerProcess::new(),
        }
    }

    /// Acquires the lock for reading; waits while another thread writes or waits to write.
    ///
    /// # Errors
    /// There are currently none.
    pub fn read(&self) -> Result<ReadGuard<'_>, Error> {
        self.read_within(Wait::Forever)
    }

    /// Acquires the lock for reading, if that is possible without waiting.
    ///
    /// # Errors
    /// Returns [`Error::NotAcquired`] otherwise.
    pub fn try_read(&self) -> Result<ReadGuard<'_>, Error> {
        self.read_within(Wait::Never)
    }

    /// Acquires the lock for reading; waits for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`] if the timeout expires.
    pub fn read_timeout(&self, timeout: Duration) -> Result<ReadGuard<'_>, Error> {
        self.read_within(Wait::at_most(timeout))
    }

    /// Acquires the lock for writing; waits while another thread reads or writes.
    ///
    /// # Errors
    /// Returns [`Error::UpgradeRefused`] if this thread is a reader.
    pub fn write(&self) -> Result<WriteGuard<'_>, Error> {
        self.write_within(Wait::Forever)
    }

    /// Acquires the lock for writing, if that is possible without waiting.
    ///
    /// # Errors
    /// Returns [`Error::UpgradeRefused`] if this thread is a reader, and [`Error::NotAcquired`] if
    /// the lock is held.
    pub fn try_write(&self) -> Result<WriteGuard<'_>, Error> {
        self.write_within(Wait::Never)
    }

    /// Acquires the lock for writing; waits for at most `timeout`.
    ///
    /// # Errors
    /// Returns [`Error::Timeout`] if the timeout expires, and [`Error::UpgradeRefused`] if this
    /// thread is a reader.
    pub fn write_timeout(&self, timeout: Duration) -> Result<WriteGuard<'_>, Error> {
        self.write_within(Wait::at_most(timeout))
    }

    /// Returns `true` if the calling thread holds the lock for reading.
    pub fn is_reader(&self) -> bool {
        self.state().reads(current_thread())
    }

    /// Returns `true` if the calling thread holds the lock for writing.
    pub fn is_writer(&self) -> bool {
        self.state().writer == Some(current_thread())
    }

    /// Returns `true` if a thread is waiting to write.
    pub fn has_pending_writers(&self) -> bool {
        !self.state().pending.is_empty()
    }

    /// The kind of hold, or `None` if the lock is free.
    pub fn owner(&self) -> Option<Owner> {
        let state = self.state();
        match state.writer {
            Some(_) => Some(Owner::Writer),
            None => (!state.readers.is_empty()).then_some(Owner::Readers),
        }
    }

    fn read_within(&self, wait: Wait) -> Result<ReadGuard<'_>, Error> {
        let me = current_thread();
        let mut state = self.state();
        while !state.may_read(me) {
            state = self.wait(state, wait).map_err(|(_, error)| error)?;
        }
        state.readers.push(me);
        Ok(ReadGuard(Hold::of(self)))
    }

    fn write_within(&self, wait: Wait) -> Result<WriteGuard<'_>, Error> {
        let me = current_thread();
        let mut state = self.state();
        if state.writer == Some(me) {
            state.writes += 1;
            return Ok(WriteGuard(Hold::of(self)));
        }
        if state.reads(me) {
            return Err(Error::UpgradeRefused {
                name: self.name.to_owned(),
            });
        }
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.pending.push(ticket);
        while state.writer.is_some()
            || !state.readers.is_empty()
            || state.pending.first() != Some(&ticket)
        {
            state = match self.wait(state, wait) {
                Ok(state) => state,
                Err((mut state, error)) => {
                    state.pending.retain(|&pending| pending != ticket);
                    self.inner().changed.notify_all();
                    return Err(error);
                }
            };
        }
        state.pending.remove(0);
        state.writer = Some(me);
        state.writes = 1;
        Ok(WriteGuard(Hold::of(self)))
    }

    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        wait: Wait,
    ) -> Result<MutexGuard<'a, State>, (MutexGuard<'a, State>, Error)> {
        let changed = &self.inner().changed;
        let missed = match wait {
            Wait::Forever => {
                return Ok(changed.wait(state).unwrap_or_else(PoisonError::into_inner));
            }
            Wait::Never => Missed::Busy,
            Wait::Until(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    let (state, _) = changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner);
                    return Ok(state);
                }
                Missed::TimedOut
            }
        };
        Err((state, Error::missed(self.name, missed)))
    }

    fn end_read(&self) {
        let mut state = self.state();
        let me = current_thread();
        if let Some(hold) = state.readers.iter().position(|&reader| reader == me) {
            state.readers.swap_remove(hold);
        }
        if state.readers.is_empty() {
            self.inner().changed.notify_all();
        }
    }

    fn end_write(&self) {
        let mut state = self.state();
        state.writes -= 1;
        if state.writes == 0 {
            state.writer = None;
            self.inner().changed.notify_all();
        }
    }

    fn inner(&self) -> &Inner {
        self.inner.get_or_make(Inner::default)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner().state)
    }
}

/// A hold of this process; what a forked child inherits of it means nothing there.
#[derive(Debug)]
struct Hold<'a> {
    lock: &'a ReaderWriterLock,
    generation: u64,
    _on_this_thread: PhantomData<*const ()>,
}

impl<'a> Hold<'a> {
    fn of(lock: &'a ReaderWriterLock) -> Self {
        Hold {
            lock,
            generation: fork::generation(),
            _on_this_thread: PhantomData,
        }
    }

    fn is_ours(&self) -> bool {
        self.generation == fork::generation()
    }
}

/// A [`ReaderWriterLock`] held for reading. Dropping the guard releases it.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct ReadGuard<'a>(Hold<'a>);

impl Drop for ReadGuard<'_> {
    fn drop(&mut self) {
        if self.0.is_ours() {
            self.0.lock.end_read();
        }
    }
}

/// A [`ReaderWriterLock`] held for writing. Dropping the guard releases it.
#[derive(Debug)]
#[must_use = "the lock is released when the guard is dropped"]
pub struct WriteGuard<'a>(Hold<'a>);

impl Drop for WriteGuard<'_> {
    fn drop(&mut self) {
        if self.0.is_ours() {
            self.0.lock.end_write();
        }
    }
}

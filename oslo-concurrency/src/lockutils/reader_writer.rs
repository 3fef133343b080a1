//! A reader-writer lock between the threads of this process.

use std::marker::PhantomData;
use std::time::Duration;

use super::Error;
use crate::fork::{self, PerProcess};
use crate::internal::current_thread;
use crate::sync::{Condvar, Instant, Mutex, MutexGuard, PoisonError, lock};
use crate::wait::{Missed, Wait};

/// A lock that many threads hold for reading or one thread for writing.
///
/// It follows fasteners' `ReaderWriterLock` (0.20), which is oslo's: a thread that reads may read again, a thread that writes may write
/// again and may read, and stays a reader when it stops writing; a thread that reads may not write ([`Error::UpgradeRefused`], fasteners'
/// `RuntimeError`). Writers are preferred: while one waits, threads that do not yet read wait behind it, so that a stream of readers
/// cannot starve a writer. Writers take turns in the order in which they came.
///
/// In a forked child it is free, whoever held it in the parent.
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

/// How a thread holds a [`ReaderWriterLock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// One or more threads hold it for reading.
    Readers,
    /// A thread holds it for writing.
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
    /// A free lock; it can be a `static`. The name is for messages, two locks of one name have nothing to do with each other.
    pub const fn new(name: &'static str) -> Self {
        ReaderWriterLock {
            name,
            inner: PerProcess::new(),
        }
    }

    /// Waits until no thread writes or waits to write, and reads.
    ///
    /// # Errors
    /// None at the moment.
    pub fn read(&self) -> Result<ReadGuard<'_>, Error> {
        self.read_within(Wait::Forever)
    }

    /// Reads if that is possible at once.
    ///
    /// # Errors
    /// [`Error::NotAcquired`].
    pub fn try_read(&self) -> Result<ReadGuard<'_>, Error> {
        self.read_within(Wait::Never)
    }

    /// Waits to read, `timeout` at most.
    ///
    /// # Errors
    /// [`Error::Timeout`].
    pub fn read_timeout(&self, timeout: Duration) -> Result<ReadGuard<'_>, Error> {
        self.read_within(Wait::at_most(timeout))
    }

    /// Waits until no other thread reads or writes, and writes.
    ///
    /// # Errors
    /// [`Error::UpgradeRefused`] if this thread reads.
    pub fn write(&self) -> Result<WriteGuard<'_>, Error> {
        self.write_within(Wait::Forever)
    }

    /// Writes if that is possible at once.
    ///
    /// # Errors
    /// [`Error::NotAcquired`], and [`Error::UpgradeRefused`] if this thread reads.
    pub fn try_write(&self) -> Result<WriteGuard<'_>, Error> {
        self.write_within(Wait::Never)
    }

    /// Waits to write, `timeout` at most.
    ///
    /// # Errors
    /// [`Error::Timeout`], and [`Error::UpgradeRefused`] if this thread reads.
    pub fn write_timeout(&self, timeout: Duration) -> Result<WriteGuard<'_>, Error> {
        self.write_within(Wait::at_most(timeout))
    }

    /// Whether the calling thread holds the lock for reading.
    pub fn is_reader(&self) -> bool {
        self.state().reads(current_thread())
    }

    /// Whether the calling thread holds the lock for writing.
    pub fn is_writer(&self) -> bool {
        self.state().writer == Some(current_thread())
    }

    /// Whether a thread waits to write.
    pub fn has_pending_writers(&self) -> bool {
        !self.state().pending.is_empty()
    }

    /// How the lock is held, if it is.
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

/// A [`ReaderWriterLock`] held for reading, until this is dropped.
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

/// A [`ReaderWriterLock`] held for writing, until this is dropped.
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

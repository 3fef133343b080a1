//! A reader-writer lock between the threads of this process.

use crate::fork::{self, PerProcess};
use crate::sync::{Condvar, Instant, Mutex, MutexGuard, PoisonError, lock};
use crate::threads::current_thread;
use crate::wait::{AcquireFailure, Wait};

/// A lock with many readers or one writer. Writers come before readers, in order of arrival.
///
/// A thread may acquire it again, except for writing while it only reads. A forked child begins
/// with a free lock.
#[derive(Debug)]
pub(crate) struct ReaderWriter {
    inner: PerProcess<Inner>,
}

/// The reason why the lock was not acquired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReaderWriterFailure {
    NotAcquired(AcquireFailure),
    /// The calling thread is a reader and cannot become a writer.
    UpgradeRefused,
}

/// The kind of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// The number of the thread, for each hold.
    readers: Vec<u64>,
    writer: Option<u64>,
    /// The number of the writer's holds.
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

impl ReaderWriter {
    pub(crate) const fn new() -> Self {
        ReaderWriter {
            inner: PerProcess::new(),
        }
    }

    /// Acquires the lock for the calling thread.
    #[inline]
    pub(crate) fn acquire(
        &self,
        access: Access,
        wait: Wait,
    ) -> Result<Hold<'_>, ReaderWriterFailure> {
        match access {
            Access::Read => self
                .begin_read(wait)
                .map_err(ReaderWriterFailure::NotAcquired)?,
            Access::Write => self.begin_write(wait)?,
        }
        Ok(Hold {
            lock: self,
            access,
            generation: fork::generation(),
        })
    }

    /// Returns `true` if the calling thread has a hold of this kind.
    pub(crate) fn is_held_by_current_thread(&self, access: Access) -> bool {
        let state = self.state();
        match access {
            Access::Read => state.reads(current_thread()),
            Access::Write => state.writer == Some(current_thread()),
        }
    }

    /// Returns `true` if a thread is waiting to write.
    pub(crate) fn has_pending_writers(&self) -> bool {
        !self.state().pending.is_empty()
    }

    /// The kind of the present holds, or `None` if the lock is free.
    pub(crate) fn held(&self) -> Option<Access> {
        let state = self.state();
        match state.writer {
            Some(_) => Some(Access::Write),
            None => (!state.readers.is_empty()).then_some(Access::Read),
        }
    }

    fn begin_read(&self, wait: Wait) -> Result<(), AcquireFailure> {
        let me = current_thread();
        let mut state = self.state();
        while !state.may_read(me) {
            state = self.wait(state, wait).map_err(|(_, failure)| failure)?;
        }
        state.readers.push(me);
        Ok(())
    }

    fn begin_write(&self, wait: Wait) -> Result<(), ReaderWriterFailure> {
        let me = current_thread();
        let mut state = self.state();
        if state.writer == Some(me) {
            state.writes += 1;
            return Ok(());
        }
        if state.reads(me) {
            return Err(ReaderWriterFailure::UpgradeRefused);
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
                Err((mut state, failure)) => {
                    state.pending.retain(|&pending| pending != ticket);
                    self.inner().changed.notify_all();
                    return Err(ReaderWriterFailure::NotAcquired(failure));
                }
            };
        }
        state.pending.remove(0);
        state.writer = Some(me);
        state.writes = 1;
        Ok(())
    }

    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        wait: Wait,
    ) -> Result<MutexGuard<'a, State>, (MutexGuard<'a, State>, AcquireFailure)> {
        let changed = &self.inner().changed;
        let failure = match wait {
            Wait::Forever => {
                return Ok(changed.wait(state).unwrap_or_else(PoisonError::into_inner));
            }
            Wait::Never => AcquireFailure::Busy,
            Wait::Until(deadline) => {
                let left = deadline.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    let (state, _) = changed
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner);
                    return Ok(state);
                }
                AcquireFailure::TimedOut
            }
        };
        Err((state, failure))
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

/// A hold of the thread that acquired it. Dropping it there releases the lock; in a forked child,
/// dropping it does nothing.
#[derive(Debug)]
pub(crate) struct Hold<'a> {
    lock: &'a ReaderWriter,
    access: Access,
    generation: u64,
}

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.generation != fork::generation() {
            return;
        }
        match self.access {
            Access::Read => self.lock.end_read(),
            Access::Write => self.lock.end_write(),
        }
    }
}

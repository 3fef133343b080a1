//! Observes a critical section across processes, exactly.
//!
//! One word of shared memory holds the number of the worker inside. Entering swaps the worker's own
//! number in and so finds a worker that was inside; leaving exchanges it for zero, and fails if
//! another worker has entered meanwhile. Both sides detect an overlap, and there are no false
//! reports, with one exception: a worker that was killed inside could not leave. So
//! [`Witness::overlaps`] checks each report again, with the times of deaths.
//!
//! [`Stress`](crate::testing::stress::Stress) has a witness of its own. Use one directly to watch
//! processes that the test starts itself:
//!
//! ```
//! use lockutils_harness::testing::witness::{Shape, Witness};
//!
//! let witness = Witness::new(Shape::new(1, 2, 100))?;
//! let first = witness.enter(0);
//! let second = witness.enter(1); // worker 1 enters while worker 0 is inside
//! drop(first);
//! drop(second);
//! let overlaps = witness.overlaps();
//! assert_eq!((overlaps[0].first, overlaps[0].second), (0, 1));
//! # Ok::<(), std::io::Error>(())
//! ```

mod coordination;
mod log;
mod memory;
mod notes;
mod overlaps;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use log::{Entry, EntryKind, now};
use log::{Log, words_for};
pub(crate) use memory::SharedMemory;
pub(crate) use notes::Note;
use notes::Notes;
pub use overlaps::Overlap;

#[cfg(unix)]
use crate::sys::SharedHandle;
pub(crate) use crate::sys::forks;
use crate::testing::history::{self, Event};

const CACHE_LINE: usize = 8;
const INSIDE: usize = 0;
const READY: usize = CACHE_LINE;
const STARTED: usize = 2 * CACHE_LINE;
const SHORTAGES: usize = 3 * CACHE_LINE;
const FAULTS: usize = 4 * CACHE_LINE;
/// Kinds of faults that can be counted.
const FAULT_KINDS: usize = 2 * CACHE_LINE;
/// The commands of the coordinator, and its own delays; see `coordination`.
const COORDINATION: usize = FAULTS + FAULT_KINDS;
const NOTES: usize = COORDINATION + CACHE_LINE;
const OUTCOMES: usize = NOTES + notes::WORDS;
/// Words per worker that every process may read: calls of the body, and its current state.
const WORDS_PER_WORKER: usize = CACHE_LINE;

/// A record of the workers in a critical section, in memory shared by all processes of a run.
///
/// Processes forked after [`Witness::new`] share the memory, and so do those that a
/// [`Stress`](crate::testing::stress::Stress) run starts where there is no fork(2). Its contents
/// outlive a process that is killed.
#[derive(Debug)]
pub struct Witness {
    memory: SharedMemory,
    shape: Shape,
}

/// The number of workers of a run, and the size of each worker's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Shape {
    /// Number of processes.
    pub processes: usize,
    /// Number of threads per process.
    pub threads: usize,
    /// Entries for which the log of each worker has room. A section takes two.
    pub entries: usize,
}

impl Shape {
    /// A run of `processes` times `threads` workers, with room for `entries` log entries each.
    pub fn new(processes: usize, threads: usize, entries: usize) -> Self {
        Shape {
            processes,
            threads,
            entries,
        }
    }

    /// Number of workers: the threads of all processes.
    pub fn workers(&self) -> usize {
        self.processes * self.threads
    }
}

impl Witness {
    /// A witness for a run of this shape.
    ///
    /// # Errors
    /// Returns an error if the shared memory cannot be created.
    pub fn new(shape: Shape) -> io::Result<Self> {
        let per_worker = WORDS_PER_WORKER + words_for(shape.entries);
        let words = OUTCOMES + shape.processes + shape.workers() * per_worker;
        Ok(Witness {
            memory: SharedMemory::new(words)?,
            shape,
        })
    }

    #[cfg(unix)]
    pub(crate) fn inherited(handle: SharedHandle, shape: Shape) -> io::Result<Self> {
        Ok(Witness {
            memory: SharedMemory::inherited(handle)?,
            shape,
        })
    }

    /// The handle by which programs executed for a run find the memory.
    #[cfg(unix)]
    pub(crate) fn handle(&self) -> SharedHandle {
        self.memory.handle()
    }

    /// Unmaps the memory but keeps it for programs executed later.
    pub(crate) fn keep_open(self) {
        self.memory.keep_open();
    }

    /// The shape of the run.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.memory.words()[at]
    }

    /// The position of one of the words of `worker`.
    fn of_worker(&self, worker: u32, which: usize) -> usize {
        OUTCOMES + self.shape.processes + worker as usize * WORDS_PER_WORKER + which
    }

    fn log(&self, worker: u32) -> Log<'_> {
        let words = words_for(self.shape.entries);
        let start = self.of_worker(self.shape.workers() as u32, 0) + worker as usize * words;
        Log(&self.memory.words()[start..start + words])
    }

    /// Enters the section as `worker`, until the guard is dropped.
    ///
    /// A forked child that drops its copy of the guard leaves nothing.
    ///
    /// # Panics
    /// Panics if `worker` is not below [`Shape::workers`].
    pub fn enter(&self, worker: u32) -> SectionGuard<'_> {
        let forks = forks();
        let log = self.log(worker);
        let seen = self
            .word(INSIDE)
            .swap(u64::from(worker) + 1, Ordering::AcqRel);
        log.append(now(), EntryKind::Entered, seen);
        SectionGuard {
            witness: self,
            worker,
            forks,
        }
    }

    /// Enters the section as a reader, until the guard is dropped. Readers overlap with
    /// [`enter`](Self::enter) only, not with each other.
    ///
    /// # Panics
    /// Panics if `worker` is not below [`Shape::workers`].
    pub fn enter_shared(&self, worker: u32) -> SharedSectionGuard<'_> {
        self.log(worker).append(now(), EntryKind::EnteredShared, 0);
        SharedSectionGuard {
            witness: self,
            worker,
            forks: forks(),
        }
    }

    /// The observed overlaps, in order of time.
    ///
    /// Exact: every overlap is found, and a worker that had died when the other entered was not
    /// inside.
    pub fn overlaps(&self) -> Vec<Overlap> {
        let workers = 0..self.shape.workers() as u32;
        let logs: Vec<Vec<Entry>> = workers.map(|worker| self.entries(worker)).collect();
        overlaps::of(&logs)
    }

    /// Records that `worker` may be dead from now on.
    pub(crate) fn mark_dying(&self, worker: u32) {
        self.log(worker).append(now(), EntryKind::Dying, 0);
    }

    /// Appends an operation of `worker` outside of its section, with the time.
    pub(crate) fn record(&self, worker: u32, kind: EntryKind) {
        self.log(worker).append(now(), kind, 0);
    }

    /// Number of entries for which the log of `worker` still has room.
    pub(crate) fn room(&self, worker: u32) -> u64 {
        self.log(worker).room()
    }

    /// A number that changes whenever a worker does anything.
    pub(crate) fn progress(&self) -> u64 {
        (0..self.shape.workers() as u32)
            .map(|worker| {
                self.log(worker).length() + self.body_calls(worker).load(Ordering::Relaxed)
            })
            .sum()
    }

    /// The findings of the coordinator.
    pub(crate) fn notes(&self) -> Notes<'_> {
        Notes(&self.memory.words()[NOTES..OUTCOMES])
    }

    /// The log of `worker`.
    pub(crate) fn entries(&self, worker: u32) -> Vec<Entry> {
        self.log(worker).entries()
    }

    /// The events of all workers, in order of time.
    pub(crate) fn history(&self) -> Vec<Event> {
        let logs: Vec<Vec<Event>> = (0..self.shape.workers() as u32)
            .map(|worker| {
                let event = |entry: Entry| Event {
                    time: entry.time,
                    worker,
                    kind: entry.kind.event(),
                };
                self.entries(worker).into_iter().map(event).collect()
            })
            .collect();
        history::merge(&logs)
    }

    /// Number of entries that did not fit into the logs. If it is not 0, overlaps may be missing.
    pub fn lost(&self) -> u64 {
        (0..self.shape.workers() as u32)
            .map(|worker| self.log(worker).lost())
            .sum()
    }

    pub(crate) fn mark_ready(&self) {
        self.word(READY).fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn ready(&self) -> usize {
        self.word(READY).load(Ordering::Acquire) as usize
    }

    pub(crate) fn start(&self) {
        self.word(STARTED).store(1, Ordering::Release);
    }

    pub(crate) fn has_started(&self) -> bool {
        self.word(STARTED).load(Ordering::Acquire) != 0
    }

    /// Number of injected faults of this kind.
    pub(crate) fn fault_count(&self, kind: usize) -> &AtomicU64 {
        debug_assert!(kind < FAULT_KINDS);
        self.word(FAULTS + kind)
    }

    /// Number of shortages that have begun, and number that have ended.
    pub(crate) fn shortages(&self) -> (&AtomicU64, &AtomicU64) {
        (self.word(SHORTAGES), self.word(SHORTAGES + 1))
    }

    /// Number of calls of the body by `worker`.
    pub(crate) fn body_calls(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, 0))
    }

    /// The same witness, mapped a second time.
    pub(crate) fn map_again(&self) -> io::Result<Self> {
        Ok(Witness {
            memory: self.memory.map_again()?,
            shape: self.shape,
        })
    }

    pub(crate) fn outcome(&self, process: usize) -> &AtomicU64 {
        self.word(OUTCOMES + process)
    }
}

/// A stay in the section, from [`Witness::enter`] until it is dropped.
#[derive(Debug)]
#[must_use = "the section is left when this is dropped"]
pub struct SectionGuard<'a> {
    witness: &'a Witness,
    worker: u32,
    forks: u64,
}

impl Drop for SectionGuard<'_> {
    fn drop(&mut self) {
        if self.forks != forks() {
            return;
        }
        let me = u64::from(self.worker) + 1;
        // Read while still inside: the logged stay is never longer than the real one.
        let time = now();
        let left =
            self.witness
                .word(INSIDE)
                .compare_exchange(me, 0, Ordering::AcqRel, Ordering::Acquire);
        let seen = left.err().unwrap_or(0);
        let log = self.witness.log(self.worker);
        log.append(time, EntryKind::Left, seen);
    }
}

/// A reader's stay in the section, from [`Witness::enter_shared`] until it is dropped.
#[derive(Debug)]
#[must_use = "the section is left when this is dropped"]
pub struct SharedSectionGuard<'a> {
    witness: &'a Witness,
    worker: u32,
    forks: u64,
}

impl Drop for SharedSectionGuard<'_> {
    fn drop(&mut self) {
        if self.forks == forks() {
            let log = self.witness.log(self.worker);
            log.append(now(), EntryKind::Left, 0);
        }
    }
}

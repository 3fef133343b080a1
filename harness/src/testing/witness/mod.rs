//! Sees who is in the critical section, exactly, across processes.
//!
//! One word of shared memory holds the number of who is inside. Entering swaps the own number in: whoever was there is seen. Leaving
//! exchanges it for nobody, and fails if somebody came in meanwhile: seen by the other side as well. Nobody is seen who was not there,
//! but for one that was killed inside and could not leave; what is found is therefore judged once more by [`overlaps`], with the
//! times of death.

mod log;
mod memory;
mod notes;
mod overlaps;
mod rests;

use std::io;
use std::os::fd::RawFd;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};

pub use log::{Entry, EntryKind, now};
use log::{Log, words_for};
pub(crate) use memory::SharedMemory;
pub(crate) use notes::Note;
use notes::Notes;
pub use overlaps::{Overlap, overlaps};

use crate::testing::history::{self, Event};

const CACHE_LINE: usize = 8;
const INSIDE: usize = 0;
const READY: usize = CACHE_LINE;
const GO: usize = 2 * CACHE_LINE;
const SHORTAGES: usize = 3 * CACHE_LINE;
const FAULTS: usize = 4 * CACHE_LINE;
/// Kinds of faults that can be counted.
const KINDS: usize = 2 * CACHE_LINE;
/// What the coordinator tells the workers, and how late it was itself; see `rests`.
const RESTS: usize = FAULTS + KINDS;
const NOTES: usize = RESTS + CACHE_LINE;
const OUTCOMES: usize = NOTES + notes::WORDS;
/// The words of each worker that all may read: calls of the body, and what it does at the moment.
const OF_EACH_WORKER: usize = CACHE_LINE;

/// The witness of one run.
#[derive(Debug)]
pub struct Witness {
    memory: SharedMemory,
    shape: Shape,
}

/// How many take part, and how much is written down of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Processes.
    pub processes: usize,
    /// Threads of each.
    pub threads: usize,
    /// Entries that the log of each thread has room for; a section takes two.
    pub entries: usize,
}

impl Shape {
    /// All threads of all processes.
    pub fn workers(&self) -> usize {
        self.processes * self.threads
    }
}

impl Witness {
    /// A witness for a run of this shape.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn new(shape: Shape) -> io::Result<Self> {
        let of_each_worker = OF_EACH_WORKER + words_for(shape.entries);
        let words = OUTCOMES + shape.processes + shape.workers() * of_each_worker;
        Ok(Witness {
            memory: SharedMemory::new(words)?,
            shape,
        })
    }

    pub(crate) fn inherited(fd: RawFd, shape: Shape) -> io::Result<Self> {
        Ok(Witness {
            memory: SharedMemory::inherited(fd)?,
            shape,
        })
    }

    pub(crate) fn fd(&self) -> RawFd {
        self.memory.fd()
    }

    /// Gives the memory back, but leaves the descriptor open for programs that are executed later.
    pub(crate) fn keep_open(self) {
        self.memory.keep_open();
    }

    /// How many take part.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.memory.words()[at]
    }

    /// The position of one of the words that `worker` has for itself.
    fn of_worker(&self, worker: u32, which: usize) -> usize {
        OUTCOMES + self.shape.processes + worker as usize * OF_EACH_WORKER + which
    }

    fn log(&self, worker: u32) -> Log<'_> {
        let words = words_for(self.shape.entries);
        let start = self.of_worker(self.shape.workers() as u32, 0) + worker as usize * words;
        Log(&self.memory.words()[start..start + words])
    }

    /// Comes into the section as `worker`, until the value is dropped; a forked child that drops its copy leaves nothing.
    pub fn enter(&self, worker: u32) -> Inside<'_> {
        let forks = forks();
        let seen = self
            .word(INSIDE)
            .swap(u64::from(worker) + 1, Ordering::AcqRel);
        self.log(worker).append(now(), EntryKind::Entered, seen);
        Inside {
            witness: self,
            worker,
            forks,
        }
    }

    /// Comes into the section as one of many who may share it, until the value is dropped.
    pub fn enter_shared(&self, worker: u32) -> InsideShared<'_> {
        self.log(worker).append(now(), EntryKind::EnteredShared, 0);
        InsideShared {
            witness: self,
            worker,
            forks: forks(),
        }
    }

    /// Notes that `worker` may be dead from now on.
    pub fn is_dying(&self, worker: u32) {
        self.log(worker).append(now(), EntryKind::Dying, 0);
    }

    /// Appends what `worker` does outside of its section, with the time.
    pub fn record(&self, worker: u32, kind: EntryKind) {
        self.log(worker).append(now(), kind, 0);
    }

    /// How many more entries the log of `worker` has room for.
    pub(crate) fn room(&self, worker: u32) -> u64 {
        self.log(worker).room()
    }

    /// A number that changes whenever any worker does anything.
    pub(crate) fn progress(&self) -> u64 {
        (0..self.shape.workers() as u32)
            .map(|worker| self.log(worker).length() + self.bodies(worker).load(Ordering::Relaxed))
            .sum()
    }

    /// What the coordinator found out.
    pub(crate) fn notes(&self) -> Notes<'_> {
        Notes(&self.memory.words()[NOTES..OUTCOMES])
    }

    /// What `worker` did.
    pub fn entries(&self, worker: u32) -> Vec<Entry> {
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

    /// How many entries did not fit into the logs.
    pub fn lost(&self) -> u64 {
        (0..self.shape.workers() as u32)
            .map(|worker| self.log(worker).lost())
            .sum()
    }

    pub(crate) fn one_is_ready(&self) {
        self.word(READY).fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn ready(&self) -> usize {
        self.word(READY).load(Ordering::Acquire) as usize
    }

    pub(crate) fn start(&self) {
        self.word(GO).store(1, Ordering::Release);
    }

    pub(crate) fn has_started(&self) -> bool {
        self.word(GO).load(Ordering::Acquire) != 0
    }

    /// How often a fault of this kind has happened.
    pub(crate) fn faults(&self, kind: usize) -> &AtomicU64 {
        debug_assert!(kind < KINDS);
        self.word(FAULTS + kind)
    }

    /// How many shortages have begun, and how many have ended.
    pub(crate) fn shortages(&self) -> (&AtomicU64, &AtomicU64) {
        (self.word(SHORTAGES), self.word(SHORTAGES + 1))
    }

    /// How often `worker` has called the body.
    pub(crate) fn bodies(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, 0))
    }

    /// The same witness, mapped once more.
    pub(crate) fn again(&self) -> io::Result<Self> {
        Ok(Witness {
            memory: self.memory.again()?,
            shape: self.shape,
        })
    }

    pub(crate) fn outcome(&self, process: usize) -> &AtomicU64 {
        self.word(OUTCOMES + process)
    }
}

/// Somebody in the section.
#[derive(Debug)]
#[must_use = "the section is left when this is dropped"]
pub struct Inside<'a> {
    witness: &'a Witness,
    worker: u32,
    forks: u64,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.forks != forks() {
            return;
        }
        let me = u64::from(self.worker) + 1;
        // Left is what counts as the end: the time is read while we are still inside.
        let time = now();
        let left =
            self.witness
                .word(INSIDE)
                .compare_exchange(me, 0, Ordering::AcqRel, Ordering::Acquire);
        let seen = left.err().unwrap_or(0);
        self.witness
            .log(self.worker)
            .append(time, EntryKind::Left, seen);
    }
}

/// Somebody in the section together with others.
#[derive(Debug)]
#[must_use = "the section is left when this is dropped"]
pub struct InsideShared<'a> {
    witness: &'a Witness,
    worker: u32,
    forks: u64,
}

impl Drop for InsideShared<'_> {
    fn drop(&mut self) {
        if self.forks == forks() {
            self.witness
                .log(self.worker)
                .append(now(), EntryKind::Left, 0);
        }
    }
}

/// How many forks lie between this process and the first one.
pub(crate) fn forks() -> u64 {
    static FORKS: AtomicU64 = AtomicU64::new(0);
    static INSTALLED: Once = Once::new();
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler only adds to an atomic.
    INSTALLED.call_once(|| unsafe {
        libc::pthread_atfork(None, None, Some(in_child));
    });
    FORKS.load(Ordering::Relaxed)
}

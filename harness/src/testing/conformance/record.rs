//! The record of a trial, in memory that the workers share and that outlives them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::testing::history::{self, Event, EventKind, Mode};
use crate::testing::lock::WaitLimit;
use crate::testing::witness::{SharedMemory, now};

/// Counters for which the workers of a trial can wait.
const COUNTERS: usize = 24;
const VIOLATION: usize = 32;
const VIOLATION_WORDS: usize = 256;
const PIDS: usize = VIOLATION + VIOLATION_WORDS;
const FIRST_LOG: usize = PIDS + 64;

const BEGAN: usize = 0;
const FINISHED: usize = 1;
const VIOLATION_LENGTH: usize = 2;
const WARMED_UP: usize = 3;

/// The operations of the workers of one trial.
#[derive(Debug)]
pub(super) struct Record {
    memory: SharedMemory,
    workers: u32,
    /// Events for which there is room, per worker.
    room: usize,
}

impl Record {
    /// # Panics
    /// Panics if the shared memory cannot be created.
    pub(super) fn new(workers: u32, room: usize) -> Self {
        assert!((workers as usize) < FIRST_LOG - PIDS, "too many workers");
        let words = FIRST_LOG + workers as usize * (1 + 2 * room);
        let memory = SharedMemory::new(words)
            .unwrap_or_else(|error| panic!("cannot create the record of a trial: {error}"));
        Record {
            memory,
            workers,
            room,
        }
    }

    fn word(&self, at: usize) -> &AtomicU64 {
        &self.memory.words()[at]
    }

    fn log(&self, worker: u32) -> &[AtomicU64] {
        let words = 1 + 2 * self.room;
        let start = FIRST_LOG + worker as usize * words;
        &self.memory.words()[start..start + words]
    }

    /// Appends an event of `worker`. An event that does not fit is only counted.
    pub(super) fn note(&self, worker: u32, kind: EventKind) {
        let log = self.log(worker);
        let at = log[0].load(Ordering::Relaxed);
        if let Some([time, what]) = log.get(1 + 2 * at as usize..3 + 2 * at as usize) {
            time.store(now(), Ordering::Relaxed);
            what.store(to_word(kind), Ordering::Relaxed);
        }
        log[0].store(at + 1, Ordering::Release);
    }

    /// Number of events of `worker`.
    pub(super) fn events(&self, worker: u32) -> u64 {
        self.log(worker)[0].load(Ordering::Acquire)
    }

    /// Number of events that did not fit.
    pub(super) fn lost(&self) -> u64 {
        (0..self.workers)
            .map(|worker| self.events(worker).saturating_sub(self.room as u64))
            .sum()
    }

    /// The events of all workers, in order of time.
    pub(super) fn history(&self) -> Vec<Event> {
        let logs: Vec<Vec<Event>> = (0..self.workers).map(|worker| self.of(worker)).collect();
        history::merge(&logs)
    }

    /// The last event of `worker`.
    pub(super) fn last(&self, worker: u32) -> Option<EventKind> {
        let length = self.events(worker).min(self.room as u64) as usize;
        let at = 2 * length.checked_sub(1)? + 2;
        Some(from_word(self.log(worker)[at].load(Ordering::Relaxed)))
    }

    fn of(&self, worker: u32) -> Vec<Event> {
        let log = self.log(worker);
        let length = log[0].load(Ordering::Acquire) as usize;
        let entries = log[1..].chunks_exact(2).take(length);
        entries
            .map(|entry| Event {
                time: entry[0].load(Ordering::Relaxed),
                worker,
                kind: from_word(entry[1].load(Ordering::Relaxed)),
            })
            .collect()
    }

    /// Nanoseconds since the first worker began.
    pub(super) fn elapsed(&self) -> u64 {
        let began = self.word(BEGAN);
        let time = now();
        let began = began.compare_exchange(0, time, Ordering::AcqRel, Ordering::Acquire);
        time.saturating_sub(began.err().unwrap_or(time))
    }

    /// The time at which the first worker began; 0 if none has.
    pub(super) fn began(&self) -> u64 {
        self.word(BEGAN).load(Ordering::Acquire)
    }

    /// Number of workers that have ended.
    pub(super) fn finished(&self) -> &AtomicU64 {
        self.word(FINISHED)
    }

    /// Number of workers that have used their lock once.
    pub(super) fn warmed_up(&self) -> &AtomicU64 {
        self.word(WARMED_UP)
    }

    /// A counter for which workers wait. The trial decides what it counts.
    pub(super) fn counter(&self, number: usize) -> &AtomicU64 {
        assert!(number < COUNTERS, "no such counter");
        self.word(8 + number)
    }

    /// The process id of a worker.
    pub(super) fn pid(&self, worker: u32) -> &AtomicU64 {
        self.word(PIDS + worker as usize)
    }

    /// Records a violation. Only the first report counts.
    pub(super) fn report_violation(&self, why: &str) {
        let bytes = &why.as_bytes()[..why.len().min(VIOLATION_WORDS * 8)];
        let length = self.word(VIOLATION_LENGTH);
        let taken = u64::MAX;
        let first = length.compare_exchange(0, taken, Ordering::AcqRel, Ordering::Acquire);
        if first.is_err() {
            return;
        }
        for (at, chunk) in bytes.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.word(VIOLATION + at)
                .store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
        length.store(bytes.len() as u64, Ordering::Release);
    }

    /// The first report of a violation.
    pub(super) fn violation(&self) -> Option<String> {
        let length = self.word(VIOLATION_LENGTH).load(Ordering::Acquire);
        let length = usize::try_from(length).ok()?;
        if length == 0 || length > VIOLATION_WORDS * 8 {
            return None;
        }
        let words = 0..length.div_ceil(8);
        let mut bytes: Vec<u8> = words
            .flat_map(|at| {
                let word = self.word(VIOLATION + at).load(Ordering::Relaxed);
                word.to_ne_bytes()
            })
            .collect();
        bytes.truncate(length);
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

const KINDS: [EventKind; 7] = [
    EventKind::Acquired,
    EventKind::Busy,
    EventKind::TimedOut,
    EventKind::Failed,
    EventKind::Releasing,
    EventKind::Released,
    EventKind::Died,
];
const ASKED_FOREVER: u64 = 10;
const ASKED_NONE: u64 = 11;
const ASKED_FOR_A_TIME: u64 = 12;

fn to_word(kind: EventKind) -> u64 {
    match kind {
        EventKind::Requested { limit, .. } => match limit {
            WaitLimit::Forever => ASKED_FOREVER,
            WaitLimit::NoWait => ASKED_NONE,
            WaitLimit::AtMost(time) => ASKED_FOR_A_TIME | (time.as_nanos() as u64) << 8,
        },
        other => KINDS
            .iter()
            .position(|kind| *kind == other)
            .map_or(0, |at| at as u64),
    }
}

fn from_word(word: u64) -> EventKind {
    let asked = |limit| EventKind::Requested {
        mode: Mode::Exclusive,
        limit,
    };
    match word & 0xff {
        ASKED_FOREVER => asked(WaitLimit::Forever),
        ASKED_NONE => asked(WaitLimit::NoWait),
        ASKED_FOR_A_TIME => asked(WaitLimit::AtMost(Duration::from_nanos(word >> 8))),
        number => KINDS[number as usize % KINDS.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_as_they_were_recorded() {
        let record = Record::new(2, 4);
        let asked = |limit| EventKind::Requested {
            mode: Mode::Exclusive,
            limit,
        };
        let first = [
            asked(WaitLimit::Forever),
            EventKind::Acquired,
            EventKind::Releasing,
            EventKind::Released,
        ];
        let second = [
            asked(WaitLimit::AtMost(Duration::from_millis(20))),
            EventKind::TimedOut,
        ];
        first.iter().for_each(|kind| record.note(0, *kind));
        second.iter().for_each(|kind| record.note(1, *kind));
        let kinds: Vec<EventKind> = record.history().iter().map(|event| event.kind).collect();
        assert_eq!(kinds, [&first[..], &second[..]].concat());
        assert_eq!(record.lost(), 0);
        record.note(0, EventKind::Died);
        assert_eq!(record.lost(), 1);
    }

    #[test]
    fn the_first_report_counts() {
        let record = Record::new(1, 1);
        assert_eq!(record.violation(), None);
        record.report_violation("worker 1 entered too early");
        record.report_violation("another");
        let violation = record.violation();
        assert_eq!(violation.as_deref(), Some("worker 1 entered too early"));
    }
}

//! The log of one worker, in its own part of the shared memory: it outlives the worker.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use crate::sys::monotonic_nanoseconds as now;
use crate::testing::history::{EventKind, Mode};
use crate::testing::lock::WaitLimit;

/// An entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Nanoseconds on the monotonic clock.
    pub(crate) time: u64,
    /// The operation of the worker.
    pub(crate) kind: EntryKind,
    /// The other worker that was seen inside, if there was one.
    pub(crate) saw: Option<u32>,
}

/// Operations of workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// Entered the section.
    Entered,
    /// Entered the section as a reader.
    EnteredShared,
    /// Is about to leave the section.
    Left,
    /// Is about to be killed.
    Dying,
    /// Is about to call acquire.
    Requested {
        /// Exclusive or shared.
        mode: Mode,
        /// Maximum time to wait.
        limit: WaitLimit,
    },
    /// Returned from release.
    Released,
    /// Was refused at once.
    Busy,
    /// Timed out.
    TimedOut,
    /// Failed otherwise, or requested a wait limit that the lock does not offer.
    Failed,
}

impl EntryKind {
    /// The entry as an event of a history.
    pub(crate) fn event(self) -> EventKind {
        match self {
            EntryKind::Entered | EntryKind::EnteredShared => EventKind::Acquired,
            EntryKind::Left => EventKind::Releasing,
            EntryKind::Dying => EventKind::Died,
            EntryKind::Requested { mode, limit } => EventKind::Requested { mode, limit },
            EntryKind::Released => EventKind::Released,
            EntryKind::Busy => EventKind::Busy,
            EntryKind::TimedOut => EventKind::TimedOut,
            EntryKind::Failed => EventKind::Failed,
        }
    }
}

const ENTERED: u64 = 1;
const LEFT: u64 = 2;
const DYING: u64 = 3;
const ENTERED_SHARED: u64 = 4;
const ASKED: u64 = 5;
const ASKED_SHARED: u64 = 6;
const RELEASED: u64 = 7;
const BUSY: u64 = 8;
const TIMED_OUT: u64 = 9;
const FAILED: u64 = 10;
/// Stands for waiting forever. The longest timeout that fits is two years.
const FOREVER: u64 = u64::MAX >> 8;
const WORDS_BEFORE: usize = 8; // the length, alone on its cache line

/// Number of words that a log of this many entries needs.
pub(super) const fn words_for(entries: usize) -> usize {
    WORDS_BEFORE + 2 * entries
}

/// The log of one worker.
#[derive(Clone, Copy, Debug)]
pub(super) struct Log<'a>(pub(super) &'a [AtomicU64]);

impl Log<'_> {
    /// Appends an entry. If the log is full, the entry is only counted.
    pub(super) fn append(self, time: u64, kind: EntryKind, saw: u64) {
        let at = self.0[0].load(Ordering::Relaxed);
        let words = WORDS_BEFORE + 2 * at as usize;
        if let Some([first, second]) = self.0.get(words..words + 2) {
            first.store(time, Ordering::Relaxed);
            second.store(encode(kind, saw), Ordering::Relaxed);
        }
        self.0[0].store(at + 1, Ordering::Release);
    }

    /// Number of entries appended.
    pub(super) fn length(self) -> u64 {
        self.0[0].load(Ordering::Acquire)
    }

    /// Number of entries that still fit.
    pub(super) fn room(self) -> u64 {
        let room = (self.0.len() - WORDS_BEFORE) as u64 / 2;
        room.saturating_sub(self.length())
    }

    /// Number of entries that did not fit.
    pub(super) fn lost(self) -> u64 {
        let room = (self.0.len() - WORDS_BEFORE) as u64 / 2;
        self.0[0].load(Ordering::Acquire).saturating_sub(room)
    }

    /// All entries that fit.
    pub(super) fn entries(self) -> Vec<Entry> {
        let length = self.0[0].load(Ordering::Acquire) as usize;
        self.0[WORDS_BEFORE..]
            .chunks_exact(2)
            .take(length)
            .map(|words| {
                let (kind, saw) = decode(words[1].load(Ordering::Relaxed));
                Entry {
                    time: words[0].load(Ordering::Relaxed),
                    kind,
                    saw,
                }
            })
            .collect()
    }
}

/// The kind in the lowest byte; above it the wait limit of an acquire, or the worker that was seen.
fn encode(kind: EntryKind, saw: u64) -> u64 {
    let (kind, more) = match kind {
        EntryKind::Entered => (ENTERED, saw),
        EntryKind::EnteredShared => (ENTERED_SHARED, saw),
        EntryKind::Left => (LEFT, saw),
        EntryKind::Dying => (DYING, saw),
        EntryKind::Requested { mode, limit } => {
            let kind = match mode {
                Mode::Exclusive => ASKED,
                Mode::Shared => ASKED_SHARED,
            };
            let limit = match limit {
                WaitLimit::NoWait => 0,
                WaitLimit::Forever => FOREVER,
                WaitLimit::AtMost(time) => (nanoseconds(time) + 1).min(FOREVER - 1),
            };
            (kind, limit)
        }
        EntryKind::Released => (RELEASED, 0),
        EntryKind::Busy => (BUSY, 0),
        EntryKind::TimedOut => (TIMED_OUT, 0),
        EntryKind::Failed => (FAILED, 0),
    };
    kind | more << 8
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(FOREVER)
}

fn decode(word: u64) -> (EntryKind, Option<u32>) {
    let more = word >> 8;
    let requested = |mode| EntryKind::Requested {
        mode,
        limit: match more {
            0 => WaitLimit::NoWait,
            FOREVER => WaitLimit::Forever,
            time => WaitLimit::AtMost(Duration::from_nanos(time - 1)),
        },
    };
    let kind = match word & 0xff {
        ENTERED => EntryKind::Entered,
        ENTERED_SHARED => EntryKind::EnteredShared,
        LEFT => EntryKind::Left,
        ASKED => return (requested(Mode::Exclusive), None),
        ASKED_SHARED => return (requested(Mode::Shared), None),
        RELEASED => EntryKind::Released,
        BUSY => EntryKind::Busy,
        TIMED_OUT => EntryKind::TimedOut,
        FAILED => EntryKind::Failed,
        _ => EntryKind::Dying,
    };
    (kind, more.checked_sub(1).map(|number| number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_as_it_was_written() {
        let requested = |limit| EntryKind::Requested {
            mode: Mode::Shared,
            limit,
        };
        let steps = [
            EntryKind::Entered,
            EntryKind::EnteredShared,
            EntryKind::Left,
            EntryKind::Dying,
            requested(WaitLimit::NoWait),
            requested(WaitLimit::Forever),
            requested(WaitLimit::AtMost(Duration::ZERO)),
            requested(WaitLimit::AtMost(Duration::from_millis(3))),
            EntryKind::Requested {
                mode: Mode::Exclusive,
                limit: WaitLimit::Forever,
            },
            EntryKind::Released,
            EntryKind::Busy,
            EntryKind::TimedOut,
            EntryKind::Failed,
        ];
        for kind in steps {
            assert_eq!(decode(encode(kind, 0)), (kind, None));
        }
        assert_eq!(
            decode(encode(EntryKind::Left, 8)),
            (EntryKind::Left, Some(7))
        );
    }
}

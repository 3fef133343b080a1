//! What one worker did in its sections, in its own part of the shared memory, so that it outlives the worker.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds on the clock that all processes of the machine share.
pub fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |time| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
    })
}

/// One entry of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Nanoseconds on the monotonic clock.
    pub time: u64,
    /// What was done.
    pub step: Step,
    /// The number of another who was inside, if one was seen.
    pub saw: Option<u32>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Came into the section.
    Entered,
    /// Came into the section, which it shares with others who say so.
    EnteredShared,
    /// Is about to leave it.
    Left,
    /// Is about to be killed, by itself or by the driver.
    Dying,
}

const ENTERED: u64 = 1;
const LEFT: u64 = 2;
const DYING: u64 = 3;
const ENTERED_SHARED: u64 = 4;
const WORDS_BEFORE: usize = 8; // the length, alone on its cache line

/// The words that a log of so many entries needs.
pub const fn words_for(entries: usize) -> usize {
    WORDS_BEFORE + 2 * entries
}

/// One worker's log.
#[derive(Clone, Copy, Debug)]
pub struct Log<'a>(pub &'a [AtomicU64]);

impl Log<'_> {
    /// Appends an entry; when the log is full it is only counted.
    pub fn append(self, time: u64, step: Step, saw: u64) {
        let at = self.0[0].load(Ordering::Relaxed);
        let words = WORDS_BEFORE + 2 * at as usize;
        if let Some([first, second]) = self.0.get(words..words + 2) {
            let kind = match step {
                Step::Entered => ENTERED,
                Step::EnteredShared => ENTERED_SHARED,
                Step::Left => LEFT,
                Step::Dying => DYING,
            };
            first.store(time, Ordering::Relaxed);
            second.store(kind | saw << 8, Ordering::Relaxed);
        }
        self.0[0].store(at + 1, Ordering::Release);
    }

    /// How many entries did not fit.
    pub fn lost(self) -> u64 {
        let room = (self.0.len() - WORDS_BEFORE) as u64 / 2;
        self.0[0].load(Ordering::Acquire).saturating_sub(room)
    }

    /// All entries that fitted.
    pub fn entries(self) -> Vec<Entry> {
        let length = self.0[0].load(Ordering::Acquire) as usize;
        self.0[WORDS_BEFORE..]
            .chunks_exact(2)
            .take(length)
            .map(|words| {
                let second = words[1].load(Ordering::Relaxed);
                Entry {
                    time: words[0].load(Ordering::Relaxed),
                    step: match second & 0xff {
                        ENTERED => Step::Entered,
                        ENTERED_SHARED => Step::EnteredShared,
                        LEFT => Step::Left,
                        _ => Step::Dying,
                    },
                    saw: (second >> 8).checked_sub(1).map(|number| number as u32),
                }
            })
            .collect()
    }
}

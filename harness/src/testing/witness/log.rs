//! What one worker did in its sections, in its own part of the shared memory, so that it outlives the worker.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::time::{ClockId, clock_gettime};

use crate::testing::history::{Kind, Mode, Patience};

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
    /// Is about to call acquire.
    Asked {
        /// Exclusive or shared.
        mode: Mode,
        /// How long it is ready to wait.
        patience: Patience,
    },
    /// The release has returned.
    Released,
    /// The acquire was refused at once.
    Busy,
    /// The acquire was refused when its time was over.
    TimedOut,
    /// The acquire failed otherwise, or the lock does not offer it.
    Failed,
}

impl Step {
    /// The step as an event of a history.
    pub fn kind(self) -> Kind {
        match self {
            Step::Entered | Step::EnteredShared => Kind::Acquired,
            Step::Left => Kind::Releasing,
            Step::Dying => Kind::Died,
            Step::Asked { mode, patience } => Kind::Asked { mode, patience },
            Step::Released => Kind::Released,
            Step::Busy => Kind::Busy,
            Step::TimedOut => Kind::TimedOut,
            Step::Failed => Kind::Failed,
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
/// What stands for waiting without end; the longest timeout that fits is two years.
const FOREVER: u64 = u64::MAX >> 8;
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
            first.store(time, Ordering::Relaxed);
            second.store(encode(step, saw), Ordering::Relaxed);
        }
        self.0[0].store(at + 1, Ordering::Release);
    }

    /// How many entries were appended.
    pub fn length(self) -> u64 {
        self.0[0].load(Ordering::Acquire)
    }

    /// How many more entries fit.
    pub fn room(self) -> u64 {
        let room = (self.0.len() - WORDS_BEFORE) as u64 / 2;
        room.saturating_sub(self.length())
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
                let (step, saw) = decode(words[1].load(Ordering::Relaxed));
                Entry {
                    time: words[0].load(Ordering::Relaxed),
                    step,
                    saw,
                }
            })
            .collect()
    }
}

/// The kind in the lowest byte; above it the patience of an acquire, or who was seen.
fn encode(step: Step, saw: u64) -> u64 {
    let (kind, more) = match step {
        Step::Entered => (ENTERED, saw),
        Step::EnteredShared => (ENTERED_SHARED, saw),
        Step::Left => (LEFT, saw),
        Step::Dying => (DYING, saw),
        Step::Asked { mode, patience } => {
            let kind = match mode {
                Mode::Exclusive => ASKED,
                Mode::Shared => ASKED_SHARED,
            };
            let patience = match patience {
                Patience::None => 0,
                Patience::Forever => FOREVER,
                Patience::Nanoseconds(time) => (time + 1).min(FOREVER - 1),
            };
            (kind, patience)
        }
        Step::Released => (RELEASED, 0),
        Step::Busy => (BUSY, 0),
        Step::TimedOut => (TIMED_OUT, 0),
        Step::Failed => (FAILED, 0),
    };
    kind | more << 8
}

fn decode(word: u64) -> (Step, Option<u32>) {
    let more = word >> 8;
    let asked = |mode| Step::Asked {
        mode,
        patience: match more {
            0 => Patience::None,
            FOREVER => Patience::Forever,
            time => Patience::Nanoseconds(time - 1),
        },
    };
    let step = match word & 0xff {
        ENTERED => Step::Entered,
        ENTERED_SHARED => Step::EnteredShared,
        LEFT => Step::Left,
        ASKED => return (asked(Mode::Exclusive), None),
        ASKED_SHARED => return (asked(Mode::Shared), None),
        RELEASED => Step::Released,
        BUSY => Step::Busy,
        TIMED_OUT => Step::TimedOut,
        FAILED => Step::Failed,
        _ => Step::Dying,
    };
    (step, more.checked_sub(1).map(|number| number as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_read_as_it_was_written() {
        let asked = |patience| Step::Asked {
            mode: Mode::Shared,
            patience,
        };
        let steps = [
            Step::Entered,
            Step::EnteredShared,
            Step::Left,
            Step::Dying,
            asked(Patience::None),
            asked(Patience::Forever),
            asked(Patience::Nanoseconds(0)),
            asked(Patience::Nanoseconds(3_000_000)),
            Step::Asked {
                mode: Mode::Exclusive,
                patience: Patience::Forever,
            },
            Step::Released,
            Step::Busy,
            Step::TimedOut,
            Step::Failed,
        ];
        for step in steps {
            assert_eq!(decode(encode(step, 0)), (step, None));
        }
        assert_eq!(decode(encode(Step::Left, 8)), (Step::Left, Some(7)));
    }
}

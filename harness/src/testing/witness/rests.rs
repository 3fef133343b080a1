//! How the coordinator brings all workers to rest outside of the lock, and what they let each other know.
//!
//! The word `EPOCH` is odd while the workers are to rest. One that rests says so by storing the epoch, one that has done all its calls
//! by storing `DONE`. Both are stores of the worker itself, made when it is outside of every call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::{RESTS, Witness};

const EPOCH: usize = RESTS;
const ACT: usize = RESTS + 1;
const DISMISSED: usize = RESTS + 2;
const LATENESS: usize = RESTS + 3;
const LAST_HOLDER: usize = RESTS + 4;
const HANDOVERS: usize = RESTS + 5;

const RESTING: usize = 1;
const ASKING: usize = 2;
const TURNS: usize = 3;
const UNSUPPORTED: usize = 4;

const DONE: u64 = u64::MAX;

impl Witness {
    /// Rests if the coordinator wants so, until it does not; the epoch.
    pub(crate) fn rest(&self, worker: u32) -> u64 {
        let resting = self.word(self.of_worker(worker, RESTING));
        loop {
            let epoch = self.word(EPOCH).load(Ordering::Acquire);
            if epoch.is_multiple_of(2) || self.is_dismissed() {
                resting.store(0, Ordering::Release);
                return epoch;
            }
            resting.store(epoch, Ordering::Release);
            sleep(Duration::from_micros(50));
        }
    }

    /// Whether the coordinator wants the workers to rest.
    pub(crate) fn wants_rest(&self) -> bool {
        !self.word(EPOCH).load(Ordering::Relaxed).is_multiple_of(2)
    }

    /// `worker` has done all its calls: waits until all may leave.
    pub(crate) fn is_done(&self, worker: u32) {
        self.has_left(worker);
        while !self.is_dismissed() {
            sleep(Duration::from_micros(500));
        }
    }

    /// `worker` does nothing any more.
    pub(crate) fn has_left(&self, worker: u32) {
        let resting = self.word(self.of_worker(worker, RESTING));
        resting.store(DONE, Ordering::Release);
    }

    /// Whether all may leave.
    pub(crate) fn is_dismissed(&self) -> bool {
        self.word(DISMISSED).load(Ordering::Acquire) != 0
    }

    /// All may leave when they are done.
    pub(crate) fn dismiss(&self) {
        self.word(DISMISSED).store(1, Ordering::Release);
    }

    /// Wants the workers to rest, or to go on with `act`.
    pub(crate) fn set_rest(&self, rest: bool, act: u64) {
        self.set_act(act);
        if self.wants_rest() != rest {
            self.word(EPOCH).fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(crate) fn set_act(&self, act: u64) {
        self.word(ACT).store(act, Ordering::Release);
    }

    /// What the workers are to do at the moment.
    pub(crate) fn act(&self) -> u64 {
        self.word(ACT).load(Ordering::Acquire)
    }

    /// Whether `worker` is outside: it rests in this epoch, or has done all its calls.
    pub(crate) fn is_outside(&self, worker: u32) -> bool {
        let epoch = self.word(EPOCH).load(Ordering::Acquire);
        let resting = self.word(self.of_worker(worker, RESTING));
        match resting.load(Ordering::Acquire) {
            0 => false,
            DONE => true,
            since => since == epoch,
        }
    }

    /// Whether `worker` has done all its calls.
    pub(crate) fn has_done_all(&self, worker: u32) -> bool {
        let resting = self.word(self.of_worker(worker, RESTING));
        resting.load(Ordering::Acquire) == DONE
    }

    /// One that goes on in place of another that was killed is not outside.
    pub(crate) fn begins_anew(&self, worker: u32) {
        for word in [RESTING, ASKING] {
            self.word(self.of_worker(worker, word))
                .store(0, Ordering::Release);
        }
    }

    /// The number of waits of `worker` for the lock, doubled; odd while it waits.
    pub(crate) fn asking(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, ASKING))
    }

    /// Notes who holds the lock now; counts how often `worker` took it over from another.
    pub(crate) fn takes_its_turn(&self, worker: u32) {
        let me = u64::from(worker) + 1;
        if self.word(LAST_HOLDER).swap(me, Ordering::AcqRel) != me {
            self.turns(worker).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How often `worker` took the lock over from another.
    pub(crate) fn turns(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, TURNS))
    }

    /// How often a release had to wake another.
    pub(crate) fn handovers(&self) -> &AtomicU64 {
        self.word(HANDOVERS)
    }

    /// Bits for what the lock does not offer, as `worker` has seen.
    pub(crate) fn unsupported(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, UNSUPPORTED))
    }

    /// The coordinator woke up so many nanoseconds too late.
    pub(crate) fn was_late_by(&self, nanoseconds: u64) {
        self.word(LATENESS)
            .fetch_max(nanoseconds, Ordering::Relaxed);
    }

    /// By how much this machine delayed the coordinator at worst.
    pub(crate) fn lateness(&self) -> Duration {
        Duration::from_nanos(self.word(LATENESS).load(Ordering::Relaxed))
    }
}

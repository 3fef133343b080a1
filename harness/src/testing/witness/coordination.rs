//! Pauses of all workers outside of the lock, and the words that workers share.
//!
//! The word `EPOCH` is odd while the workers are to pause. A paused worker stores the epoch, and
//! one that has made all its calls stores `FINISHED`. Only the worker itself stores either, while
//! it is outside of every call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::Duration;

use super::{COORDINATION, Witness};

const EPOCH: usize = COORDINATION;
const PHASE: usize = COORDINATION + 1;
const DISMISSED: usize = COORDINATION + 2;
const LATENESS: usize = COORDINATION + 3;
const LAST_HOLDER: usize = COORDINATION + 4;
const HANDOVERS: usize = COORDINATION + 5;
#[cfg(windows)]
const QUESTION: usize = COORDINATION + 6;
#[cfg(windows)]
const ANSWER: usize = COORDINATION + 7;

const PAUSED: usize = 1;
const WAITING: usize = 2;
const TURNS: usize = 3;
const UNSUPPORTED: usize = 4;

const FINISHED: u64 = u64::MAX;

impl Witness {
    /// Blocks while the coordinator pauses the workers.
    pub(crate) fn wait_while_paused(&self, worker: u32) {
        let paused = self.word(self.of_worker(worker, PAUSED));
        loop {
            let epoch = self.word(EPOCH).load(Ordering::Acquire);
            if epoch.is_multiple_of(2) || self.is_dismissed() {
                paused.store(0, Ordering::Release);
                return;
            }
            paused.store(epoch, Ordering::Release);
            sleep(Duration::from_micros(50));
        }
    }

    /// Returns `true` if the coordinator pauses the workers.
    pub(crate) fn is_pause_requested(&self) -> bool {
        !self.word(EPOCH).load(Ordering::Relaxed).is_multiple_of(2)
    }

    /// `worker` has made all its calls: blocks until all workers may leave.
    pub(crate) fn finish(&self, worker: u32) {
        self.mark_finished(worker);
        while !self.is_dismissed() {
            sleep(Duration::from_micros(500));
        }
    }

    /// `worker` makes no further call.
    pub(crate) fn mark_finished(&self, worker: u32) {
        let paused = self.word(self.of_worker(worker, PAUSED));
        paused.store(FINISHED, Ordering::Release);
    }

    /// The last question to the process that tries the lock, and its answer.
    #[cfg(windows)]
    pub(crate) fn questions(&self) -> (&AtomicU64, &AtomicU64) {
        (self.word(QUESTION), self.word(ANSWER))
    }

    /// Returns `true` if all workers may leave.
    pub(crate) fn is_dismissed(&self) -> bool {
        self.word(DISMISSED).load(Ordering::Acquire) != 0
    }

    /// Lets all workers leave once they have finished.
    pub(crate) fn dismiss(&self) {
        self.word(DISMISSED).store(1, Ordering::Release);
    }

    /// Pauses the workers, or lets them continue with `phase`.
    pub(crate) fn set_pause(&self, pause: bool, phase: u64) {
        self.set_phase(phase);
        if self.is_pause_requested() != pause {
            self.word(EPOCH).fetch_add(1, Ordering::AcqRel);
        }
    }

    pub(crate) fn set_phase(&self, phase: u64) {
        self.word(PHASE).store(phase, Ordering::Release);
    }

    /// The current phase.
    pub(crate) fn phase(&self) -> u64 {
        self.word(PHASE).load(Ordering::Acquire)
    }

    /// Returns `true` if `worker` is outside of the lock: paused in this epoch, or finished.
    pub(crate) fn is_outside(&self, worker: u32) -> bool {
        let epoch = self.word(EPOCH).load(Ordering::Acquire);
        let paused = self.word(self.of_worker(worker, PAUSED));
        match paused.load(Ordering::Acquire) {
            0 => false,
            FINISHED => true,
            since => since == epoch,
        }
    }

    /// Returns `true` if `worker` has made all its calls.
    pub(crate) fn has_finished(&self, worker: u32) -> bool {
        let paused = self.word(self.of_worker(worker, PAUSED));
        paused.load(Ordering::Acquire) == FINISHED
    }

    /// Forgets the state of a worker that was killed: its replacement is not outside.
    pub(crate) fn reset(&self, worker: u32) {
        for word in [PAUSED, WAITING] {
            self.word(self.of_worker(worker, word))
                .store(0, Ordering::Release);
        }
    }

    /// 1 while `worker` waits for the lock, else 0.
    pub(crate) fn waiting(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, WAITING))
    }

    /// Records the new holder, and counts a turn if the last holder was another worker.
    pub(crate) fn record_turn(&self, worker: u32) {
        let me = u64::from(worker) + 1;
        if self.word(LAST_HOLDER).swap(me, Ordering::AcqRel) != me {
            self.turns(worker).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Number of times that `worker` acquired the lock after another worker.
    pub(crate) fn turns(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, TURNS))
    }

    /// Number of releases that had to wake a waiter.
    pub(crate) fn handovers(&self) -> &AtomicU64 {
        self.word(HANDOVERS)
    }

    /// A bit for each wait limit that, as `worker` has observed, the lock does not offer.
    pub(crate) fn unsupported(&self, worker: u32) -> &AtomicU64 {
        self.word(self.of_worker(worker, UNSUPPORTED))
    }

    /// Records the delay of a wake-up of the coordinator, in nanoseconds.
    pub(crate) fn record_lateness(&self, nanoseconds: u64) {
        self.word(LATENESS)
            .fetch_max(nanoseconds, Ordering::Relaxed);
    }

    /// The longest delay of the coordinator on this machine.
    pub(crate) fn max_lateness(&self) -> Duration {
        Duration::from_nanos(self.word(LATENESS).load(Ordering::Relaxed))
    }
}

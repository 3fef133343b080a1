//! A try, or a timed wait, may fail only if somebody may have held the lock meanwhile.
//!
//! Of an exclusive lock it is known for certain to be free between the return of one release and the next call of an acquire
//! that succeeds; a failure that lies wholly in such a gap had no reason. (A hold can begin no sooner than its acquire was called and the hold
//! before it was being released, and end no later than its release came back and the next acquire did.) For shared locks and semaphores
//! a failure is excused by any hold that may have been there.

use super::story::milliseconds;
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, EventKind, Mode};

/// What a worker does at the moment; `asked` is 0 if it waits for no answer.
#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    asked: u64,
    since: u64,
    hold: Option<usize>,
}

/// Between which positions in the history, counted from 1, a hold may have lasted.
#[derive(Clone, Copy, Debug)]
struct Hold {
    asked: u64,
    releasing: u64,
    released: u64,
}

/// What the operations of a history came to.
#[derive(Debug, Default)]
struct Operations {
    /// In the order in which they were acquired.
    holds: Vec<Hold>,
    /// In the order in which they were answered.
    refusals: Vec<Refusal>,
    /// Somebody asked for a shared lock.
    shared: bool,
    /// From here on an acquire that was never answered may hold the lock.
    unanswered_from: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    asked: u64,
    answered: u64,
    event: Event,
    since: u64,
}

pub(super) fn check(history: &[Event], permits: usize) -> Finding {
    let operations = Operations::of(history);
    let mut free = if operations.shared || permits > 1 {
        gaps_between_all(&operations.holds)
    } else {
        gaps_of_an_exclusive_lock(&operations.holds)
    };
    if let Some(unanswered) = operations.unanswered_from {
        free.retain(|gap| gap.0 < unanswered);
        if let Some(last) = free.last_mut() {
            last.1 = last.1.min(unanswered);
        }
    }
    let mut free = free.into_iter().peekable();
    for refusal in &operations.refusals {
        while free.next_if(|gap| gap.1 < refusal.answered).is_some() {}
        let unreasonable = free
            .peek()
            .is_some_and(|gap| gap.0 < refusal.asked && refusal.answered < gap.1);
        if unreasonable {
            return Finding::Violated(format!(
                "worker {} was refused ({:?} after {}) while nobody could hold it",
                refusal.event.worker,
                refusal.event.kind,
                milliseconds(refusal.event.time - refusal.since)
            ));
        }
    }
    Finding::held_if(!operations.refusals.is_empty() || !operations.holds.is_empty())
}

impl Operations {
    fn of(history: &[Event]) -> Self {
        let mut workers: Workers<Worker> = Workers::new();
        let mut found = Operations::default();
        for (at, event) in (1..).zip(history) {
            let worker = workers.of(event.worker);
            match event.kind {
                EventKind::Requested { mode, .. } => {
                    found.shared |= mode == Mode::Shared;
                    worker.asked = at;
                    worker.since = event.time;
                }
                EventKind::Acquired => {
                    worker.hold = Some(found.holds.len());
                    found.holds.push(Hold {
                        asked: worker.asked,
                        releasing: u64::MAX,
                        released: u64::MAX,
                    });
                    worker.asked = 0;
                }
                EventKind::Busy | EventKind::TimedOut => {
                    found.refusals.push(Refusal {
                        asked: worker.asked,
                        answered: at,
                        event: *event,
                        since: worker.since,
                    });
                    worker.asked = 0;
                }
                EventKind::Failed => worker.asked = 0,
                EventKind::Releasing => {
                    if let Some(hold) = worker.hold {
                        found.holds[hold].releasing = at;
                    }
                }
                EventKind::Released => {
                    if let Some(hold) = worker.hold.take() {
                        found.holds[hold].released = at;
                    }
                }
                EventKind::Died => {
                    // When the lock was free again nobody has seen; by the time the next one has it, it was.
                    if let Some(hold) = worker.hold.take() {
                        let hold = &mut found.holds[hold];
                        hold.releasing = hold.releasing.min(at);
                    }
                    found.leave_unanswered(worker.asked);
                    worker.asked = 0;
                }
            }
        }
        // Who still waits at the end and holds the lock already has not released it: nobody can have held it later.
        let last_releasing = found.holds.last().map_or(0, |hold| hold.releasing);
        for worker in workers.0.iter().filter(|worker| worker.asked > 0) {
            found.leave_unanswered(worker.asked.max(last_releasing));
        }
        found
    }

    fn leave_unanswered(&mut self, asked: u64) {
        if asked > 0 {
            let first = self.unanswered_from.unwrap_or(u64::MAX);
            self.unanswered_from = Some(first.min(asked));
        }
    }
}

fn gaps_of_an_exclusive_lock(holds: &[Hold]) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut free_since = 0;
    let mut last_releasing = 0;
    for hold in holds {
        let may_begin = hold.asked.max(last_releasing);
        if free_since < may_begin {
            gaps.push((free_since, may_begin));
        }
        last_releasing = hold.releasing;
        free_since = hold.released;
    }
    if free_since < u64::MAX {
        gaps.push((free_since, u64::MAX));
    }
    gaps
}

fn gaps_between_all(holds: &[Hold]) -> Vec<(u64, u64)> {
    let mut holds: Vec<Hold> = holds.to_vec();
    holds.sort_unstable_by_key(|hold| hold.asked);
    let mut gaps = Vec::new();
    let mut free_since = 0;
    for hold in &holds {
        if free_since < hold.asked {
            gaps.push((free_since, hold.asked));
        }
        free_since = free_since.max(hold.released);
    }
    if free_since < u64::MAX {
        gaps.push((free_since, u64::MAX));
    }
    gaps
}

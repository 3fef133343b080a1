//! A try-acquire or a timed wait may fail only if another worker may have held the lock meanwhile.
//!
//! An exclusive lock is certainly free between the return of one release and the next call of an
//! acquire that succeeds. A failure that lies wholly in such a gap has no excuse. (A hold begins no
//! sooner than the call of its acquire and the call of the preceding release, and ends no later
//! than the return of its release and of the next acquire.) For shared locks and semaphores every
//! possible hold excuses a failure.

use super::story::milliseconds;
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, EventKind, Mode};

/// The state of a worker; `requested` is 0 unless it waits for an answer.
#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    requested: u64,
    since: u64,
    hold: Option<usize>,
}

/// Positions in the history, counted from 1, between which a hold may have lasted.
#[derive(Clone, Copy, Debug)]
struct Hold {
    requested: u64,
    releasing: u64,
    released: u64,
}

/// The operations of a history.
#[derive(Debug, Default)]
struct Operations {
    /// In the order of acquisition.
    holds: Vec<Hold>,
    /// In the order of the answers.
    refusals: Vec<Refusal>,
    /// A worker requested the lock shared.
    shared: bool,
    /// From this position on an unanswered acquire may hold the lock.
    unanswered_from: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct Refusal {
    requested: u64,
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
            .is_some_and(|gap| gap.0 < refusal.requested && refusal.answered < gap.1);
        if unreasonable {
            return Finding::Violated(format!(
                "worker {} was refused ({:?} after {}) while no worker could hold the lock",
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
                    worker.requested = at;
                    worker.since = event.time;
                }
                EventKind::Acquired => {
                    worker.hold = Some(found.holds.len());
                    found.holds.push(Hold {
                        requested: worker.requested,
                        releasing: u64::MAX,
                        released: u64::MAX,
                    });
                    worker.requested = 0;
                }
                EventKind::Busy | EventKind::TimedOut => {
                    found.refusals.push(Refusal {
                        requested: worker.requested,
                        answered: at,
                        event: *event,
                        since: worker.since,
                    });
                    worker.requested = 0;
                }
                EventKind::Failed => worker.requested = 0,
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
                    // The exact time of the release is unknown, but it precedes the next
                    // acquisition.
                    if let Some(hold) = worker.hold.take() {
                        let hold = &mut found.holds[hold];
                        hold.releasing = hold.releasing.min(at);
                    }
                    found.leave_unanswered(worker.requested);
                    worker.requested = 0;
                }
            }
        }
        // A worker that still waits at the end may hold the lock already, since the last release.
        let last_releasing = found.holds.last().map_or(0, |hold| hold.releasing);
        for worker in workers.0.iter().filter(|worker| worker.requested > 0) {
            found.leave_unanswered(worker.requested.max(last_releasing));
        }
        found
    }

    fn leave_unanswered(&mut self, requested: u64) {
        if requested > 0 {
            let first = self.unanswered_from.unwrap_or(u64::MAX);
            self.unanswered_from = Some(first.min(requested));
        }
    }
}

fn gaps_of_an_exclusive_lock(holds: &[Hold]) -> Vec<(u64, u64)> {
    let mut gaps = Vec::new();
    let mut free_since = 0;
    let mut last_releasing = 0;
    for hold in holds {
        let may_begin = hold.requested.max(last_releasing);
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
    holds.sort_unstable_by_key(|hold| hold.requested);
    let mut gaps = Vec::new();
    let mut free_since = 0;
    for hold in &holds {
        if free_since < hold.requested {
            gaps.push((free_since, hold.requested));
        }
        free_since = free_since.max(hold.released);
    }
    if free_since < u64::MAX {
        gaps.push((free_since, u64::MAX));
    }
    gaps
}

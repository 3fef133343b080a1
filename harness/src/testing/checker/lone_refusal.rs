//! A try-acquire or a timed wait fails although no other worker used the lock meanwhile.
//!
//! Weaker than [`super::refusals`], and the rule that trials report. A failing attempt may exclude
//! others for a moment (a lock of two parts holds the first while it finds the second held), and no
//! lock promises otherwise. So a refusal counts only if, from before the call until after its
//! return, no other worker held the lock, requested it, was being answered, or died with it.
//! Preemption only makes those times longer: a worker logs the request before its call and the
//! release after its return.

use super::status::Status;
use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::history::{Event, EventKind};
use crate::testing::lock::WaitLimit;

#[derive(Clone, Copy, Debug, Default)]
struct Worker {
    /// The event of its request; `None` when it neither waits nor holds.
    requested: Option<usize>,
}

/// Evidence of the first such refusal.
pub(super) fn check(history: &[Event]) -> Option<String> {
    let mut workers: Workers<Worker> = Workers::new();
    let mut active = 0usize;
    // The only worker that uses the lock, if no other has used it since the request.
    let mut alone: Option<u32> = None;
    // A worker killed in a call may hold the lock until a later request acquires it.
    let mut last_death: Option<usize> = None;
    let mut last_timeout: Option<usize> = None;
    let mut last_release: Option<usize> = None;
    for (at, event) in history.iter().enumerate() {
        let worker = workers.of(event.worker);
        match event.kind {
            EventKind::Requested { .. } => {
                alone = (active == 0 && last_death.is_none()).then_some(event.worker);
                active += usize::from(worker.requested.is_none());
                worker.requested = Some(at);
            }
            EventKind::Acquired => {
                if last_death < worker.requested {
                    last_death = None;
                }
            }
            EventKind::Busy | EventKind::TimedOut => {
                let Some(requested) = worker.requested.take() else {
                    continue;
                };
                active -= 1;
                if alone == Some(event.worker) {
                    let given_up = last_timeout.filter(|_| last_timeout > last_release);
                    return Some(evidence(history, requested, at, given_up));
                }
                if event.kind == EventKind::TimedOut {
                    last_timeout = Some(at);
                }
            }
            EventKind::Released => {
                last_release = Some(at);
                active -= usize::from(worker.requested.take().is_some());
            }
            EventKind::Failed => active -= usize::from(worker.requested.take().is_some()),
            EventKind::Died => {
                if worker.requested.take().is_some() {
                    active -= 1;
                    last_death = Some(at);
                }
            }
            EventKind::Releasing => {}
        }
    }
    None
}

fn evidence(history: &[Event], requested: usize, at: usize, given_up: Option<usize>) -> String {
    let event = history[at];
    let worker = event.worker;
    let time = milliseconds(history[requested].time - history[0].time);
    let attempt = match history[requested].kind {
        EventKind::Requested {
            limit: WaitLimit::AtMost(limit),
            ..
        } => format!(
            "asked for the lock at {time}, ready to wait for {}",
            milliseconds(limit.as_nanos() as u64)
        ),
        _ => format!("tried the lock at {time}"),
    };
    let answer = match event.kind {
        EventKind::TimedOut => "timed out",
        _ => "busy",
    };
    let suspect = match given_up {
        Some(wait) => format!(
            "; worker {} had given up its wait after the last release and may hold the lock",
            history[wait].worker
        ),
        None => String::new(),
    };
    format!(
        "the lock was free: worker {worker} {attempt}, and the lock answered `{answer}` after {} \
         although no other worker held or requested it meanwhile; {}{suspect}{}",
        milliseconds(event.time - history[requested].time),
        Status::after(&history[..requested]).holder(history[requested].time),
        story::of(history, requested, at)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history::Mode;

    const REQUESTED: EventKind = EventKind::Requested {
        mode: Mode::Exclusive,
        limit: WaitLimit::NoWait,
    };

    fn check(events: &[(u32, EventKind)]) -> Option<String> {
        let event =
            |(time, &(worker, kind)): (u64, &(u32, EventKind))| Event { time, worker, kind };
        super::check(&(0..).zip(events).map(event).collect::<Vec<_>>())
    }

    const HOLDS: [(u32, EventKind); 4] = [
        (0, REQUESTED),
        (0, EventKind::Acquired),
        (0, EventKind::Releasing),
        (0, EventKind::Released),
    ];

    #[test]
    fn a_refusal_without_other_workers_is_reported_with_the_last_release() {
        let story =
            check(&[HOLDS.as_slice(), &[(1, REQUESTED), (1, EventKind::Busy)]].concat()).unwrap();
        assert!(
            story.contains("worker 1 tried the lock")
                && story.contains("the lock answered `busy`")
                && story.contains("worker 0 was the last to hold it and released it at"),
            "{story}"
        );
        assert!(check(&[(1, REQUESTED), (1, EventKind::Busy)]).is_some());
    }

    /// Any worker that used the lock during the call excuses it, whatever the outcome of that use.
    #[test]
    fn a_refusal_is_excused_by_every_worker_that_may_have_held_the_lock() {
        for excuse in [&HOLDS[..], &HOLDS[..3], &HOLDS[..1]] {
            let before = [excuse, &[(1, REQUESTED), (1, EventKind::Busy)]].concat();
            let ended = excuse.len() == HOLDS.len();
            assert_eq!(check(&before).is_some(), ended, "{before:?}");
            let meanwhile = [&[(1, REQUESTED)], excuse, &[(1, EventKind::Busy)]].concat();
            assert_eq!(check(&meanwhile), None, "{meanwhile:?}");
        }
        for answer in [EventKind::Busy, EventKind::TimedOut, EventKind::Failed] {
            let both = [
                (0, REQUESTED),
                (1, REQUESTED),
                (0, answer),
                (1, EventKind::Busy),
            ];
            assert_eq!(check(&both), None, "{answer:?}");
        }
    }

    #[test]
    fn a_killed_worker_may_hold_the_lock_until_another_acquires_it() {
        let refused = [(1, REQUESTED), (1, EventKind::Busy)];
        let dead = [
            (0, REQUESTED),
            (0, EventKind::Acquired),
            (0, EventKind::Died),
        ];
        assert_eq!(check(&[&dead[..], &refused].concat()), None);
        let acquired = HOLDS.map(|(_, kind)| (2, kind));
        let story = check(&[&dead[..], &acquired, &refused].concat());
        assert!(story.is_some());
        // Requested before the death: it may have held the lock before the killed worker did.
        let both = [
            (2, REQUESTED),
            (2, EventKind::Acquired),
            (0, REQUESTED),
            (0, EventKind::Died),
            (2, EventKind::Releasing),
            (2, EventKind::Released),
        ];
        assert_eq!(check(&[&both[..], &refused].concat()), None);
    }
}

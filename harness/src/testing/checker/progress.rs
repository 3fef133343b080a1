//! No worker waits while the lock is free.

use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, EventKind};
use crate::testing::lock::WaitLimit;

pub(super) fn check(history: &[Event], bound: u64) -> Finding {
    let mut waiting: Workers<Option<u64>> = Workers::new();
    let mut waiters = 0usize;
    let mut holders: Workers<bool> = Workers::new();
    let mut held = 0usize;
    // The event since which the lock has been free while a worker waits.
    let mut idle_since: Option<usize> = None;
    let mut anything = false;
    for (at, event) in history.iter().enumerate() {
        if let Some(since) = idle_since
            && event.time - history[since].time > bound
        {
            return Finding::Violated(format!(
                "the lock was free for {} while {} waited{}",
                milliseconds(event.time - history[since].time),
                names(&waiting),
                story::of(history, since, at)
            ));
        }
        let waits = waiting.of(event.worker);
        let holds = holders.of(event.worker);
        match event.kind {
            EventKind::Requested {
                limit: WaitLimit::Forever,
                ..
            } => {
                *waits = Some(event.time);
                waiters += 1;
            }
            EventKind::Acquired => {
                anything = true;
                waiters -= usize::from(waits.take().is_some());
                *holds = true;
                held += 1;
            }
            EventKind::Released | EventKind::Died | EventKind::Failed => {
                waiters -= usize::from(waits.take().is_some());
                held -= usize::from(std::mem::take(holds));
            }
            _ => {}
        }
        idle_since = match (held, waiters) {
            (0, 1..) => idle_since.or(Some(at)),
            _ => None,
        };
    }
    Finding::held_if(anything)
}

fn names(waiting: &Workers<Option<u64>>) -> String {
    let waiting = waiting.0.iter().enumerate();
    let names: Vec<String> = waiting
        .filter(|(_, since)| since.is_some())
        .map(|(worker, _)| format!("worker {worker}"))
        .collect();
    names.join(" and ")
}

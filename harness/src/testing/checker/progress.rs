//! Nobody waits while the lock is free, and how the lock was shared out.

use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, Kind, Patience};

pub(super) fn check(history: &[Event], bound: u64) -> Finding {
    let mut waiting: Workers<Option<u64>> = Workers::new();
    let mut waiters = 0usize;
    let mut holders: Workers<bool> = Workers::new();
    let mut held = 0usize;
    // Since when it has been free with somebody waiting.
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
            Kind::Asked {
                patience: Patience::Forever,
                ..
            } => {
                *waits = Some(event.time);
                waiters += 1;
            }
            Kind::Acquired => {
                anything = true;
                waiters -= usize::from(waits.take().is_some());
                *holds = true;
                held += 1;
            }
            Kind::Released | Kind::Died | Kind::Failed => {
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

/// How a lock served its workers.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// Sections entered by each worker.
    pub acquired: Vec<u64>,
    /// The longest wait for the lock, in nanoseconds.
    pub longest_wait: u64,
    /// Jain's index of the sections: 1 if all have entered equally many, 1/n if one of n has entered all (Jain, Chiu and Hawe, DEC-TR-301, 1984).
    pub jain: f64,
}

/// How the lock was shared out in a history.
pub fn service(history: &[Event]) -> Service {
    let mut asked: Workers<u64> = Workers::new();
    let mut acquired: Workers<u64> = Workers::new();
    let mut longest_wait = 0;
    for event in history {
        match event.kind {
            Kind::Asked { .. } => *asked.of(event.worker) = event.time,
            Kind::Acquired => {
                *acquired.of(event.worker) += 1;
                longest_wait = longest_wait.max(event.time - *asked.of(event.worker));
            }
            _ => {
                acquired.of(event.worker);
            }
        }
    }
    let acquired = acquired.0;
    let sum: f64 = acquired.iter().map(|&n| n as f64).sum();
    let squares: f64 = acquired.iter().map(|&n| (n as f64).powi(2)).sum();
    let jain = if squares == 0.0 {
        1.0
    } else {
        sum * sum / (acquired.len() as f64 * squares)
    };
    Service {
        acquired,
        longest_wait,
        jain,
    }
}

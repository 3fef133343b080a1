//! Never more holders than allowed.
//!
//! A hold lasts at least from when acquire came back to when release was called. Two such holds that overlap are two holders, however the
//! operations were ordered; and if none overlap, the operations can be ordered so that there never were two (Herlihy and Wing,
//! "Linearizability", 1990). So looking at these intervals is exact.

use super::story::milliseconds;
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, Kind, Mode};

#[derive(Debug, Default)]
struct Worker {
    asked: Option<Mode>,
    holds: Option<(Mode, u64)>,
}

pub(super) fn check(history: &[Event], permits: usize) -> Finding {
    let mut workers: Workers<Worker> = Workers::new();
    let (mut exclusive, mut shared, mut acquired) = (0usize, 0usize, 0u64);
    for event in history {
        let worker = workers.of(event.worker);
        match event.kind {
            Kind::Asked { mode, .. } => worker.asked = Some(mode),
            Kind::Acquired => {
                let mode = worker.asked.take().unwrap_or(Mode::Exclusive);
                worker.holds = Some((mode, event.time));
                acquired += 1;
                let clash = match mode {
                    Mode::Exclusive => exclusive >= permits || shared > 0,
                    Mode::Shared => exclusive > 0,
                };
                if clash {
                    return Finding::Violated(evidence(event, &workers));
                }
                *count(mode, &mut exclusive, &mut shared) += 1;
            }
            Kind::Releasing | Kind::Died => {
                if let Some((mode, _)) = worker.holds.take() {
                    *count(mode, &mut exclusive, &mut shared) -= 1;
                }
            }
            _ => {}
        }
    }
    Finding::held_if(acquired > 0)
}

fn count<'a>(mode: Mode, exclusive: &'a mut usize, shared: &'a mut usize) -> &'a mut usize {
    match mode {
        Mode::Exclusive => exclusive,
        Mode::Shared => shared,
    }
}

fn evidence(event: &Event, workers: &Workers<Worker>) -> String {
    let others: Vec<String> = workers
        .0
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != event.worker as usize)
        .filter_map(|(number, worker)| {
            let (mode, since) = worker.holds?;
            let since = milliseconds(event.time - since);
            Some(format!("worker {number} ({mode:?}, for {since})"))
        })
        .collect();
    format!(
        "worker {} acquired it while held by {}",
        event.worker,
        others.join(" and ")
    )
}

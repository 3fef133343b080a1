//! Never more holders than allowed.
//!
//! A hold lasts at least from the return of acquire to the call of release. Two such holds that
//! overlap are two holders, however the operations were ordered. If none overlap, the operations
//! can be ordered so that there never were two (Herlihy and Wing, "Linearizability", 1990). So
//! comparing these intervals is exact.

use super::story::milliseconds;
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, EventKind, Mode};

#[derive(Debug, Default)]
struct Worker {
    requested: Option<(Mode, u64)>,
    holds: Option<(Mode, u64)>,
}

pub(super) fn check(history: &[Event], permits: usize) -> Finding {
    let mut workers: Workers<Worker> = Workers::new();
    let (mut exclusive, mut shared, mut acquired) = (0usize, 0usize, 0u64);
    for event in history {
        let worker = workers.of(event.worker);
        match event.kind {
            EventKind::Requested { mode, .. } => worker.requested = Some((mode, event.time)),
            EventKind::Acquired => {
                let requested = worker.requested.take();
                let mode = requested.map_or(Mode::Exclusive, |(mode, _)| mode);
                worker.holds = Some((mode, event.time));
                acquired += 1;
                let clash = match mode {
                    Mode::Exclusive => exclusive >= permits || shared > 0,
                    Mode::Shared => exclusive > 0,
                };
                if clash {
                    let began = history[0].time;
                    let requested = requested.map(|(_, time)| time);
                    return Finding::Violated(evidence(event, requested, began, &workers));
                }
                *count(mode, &mut exclusive, &mut shared) += 1;
            }
            EventKind::Releasing | EventKind::Died => {
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

fn evidence(
    event: &Event,
    requested: Option<u64>,
    began: u64,
    workers: &Workers<Worker>,
) -> String {
    let at = |time| milliseconds(time - began);
    let holders: Vec<String> = workers
        .0
        .iter()
        .enumerate()
        .filter(|(number, _)| *number != event.worker as usize)
        .filter_map(|(number, worker)| {
            let (mode, since) = worker.holds?;
            let mode = match mode {
                Mode::Exclusive => "",
                Mode::Shared => " (shared)",
            };
            let held = milliseconds(event.time - since);
            let since = at(since);
            Some(format!(
                "worker {number}{mode} had held it since {since}, for {held}"
            ))
        })
        .collect();
    let requested =
        requested.map_or_else(String::new, |time| format!(" (requested at {})", at(time)));
    format!(
        "worker {} acquired the lock at {}{requested} while {}",
        event.worker,
        at(event.time),
        holders.join(" and ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::lock::WaitLimit;

    #[test]
    fn both_holders_are_named() {
        let requested = EventKind::Requested {
            mode: Mode::Exclusive,
            limit: WaitLimit::Forever,
        };
        let events = [
            (0, requested),
            (0, EventKind::Acquired),
            (1, requested),
            (1, EventKind::Acquired),
        ];
        let event = |(time, (worker, kind))| Event { time, worker, kind };
        let history: Vec<Event> = (1..).zip(events).map(event).collect();
        let finding = check(&history, 1).to_string();
        assert!(finding.contains("worker 1 acquired the lock"), "{finding}");
        assert!(
            finding.contains("while worker 0 had held it since"),
            "{finding}"
        );
    }
}

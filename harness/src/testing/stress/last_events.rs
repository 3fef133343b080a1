//! What a worker did last, for the report of one that failed.

use std::sync::atomic::Ordering;

use crate::testing::witness::{Entry, EntryKind, Shape, Witness};

/// So many are told of each thread.
const EVENTS: usize = 4;
/// Of so many threads.
const THREADS: usize = 8;

/// For people: worker, process and thread.
pub(super) fn name(shape: Shape, worker: u32) -> String {
    let threads = shape.threads as u32;
    format!(
        "worker {worker} (process {}, thread {})",
        worker / threads,
        worker % threads
    )
}

/// A line for each thread of a process; times from `began`.
pub(super) fn of_process(witness: &Witness, process: usize, began: u64) -> Vec<String> {
    let shape = witness.shape();
    let first = (process * shape.threads) as u32;
    let mut lines: Vec<String> = (first..)
        .take(shape.threads.min(THREADS))
        .map(|worker| {
            let call = witness.bodies(worker).load(Ordering::Relaxed);
            let events = in_words(&witness.entries(worker), began);
            format!("{}, call {call} of the body: {events}", name(shape, worker))
        })
        .collect();
    if shape.threads > THREADS {
        lines.push(format!("and {} threads more", shape.threads - THREADS));
    }
    lines
}

fn in_words(entries: &[Entry], began: u64) -> String {
    let Some(last) = entries.last() else {
        return "was never in the section".into();
    };
    let words = |entry: &Entry| {
        let what = match entry.kind {
            EntryKind::Entered => "came in",
            EntryKind::EnteredShared => "came in to share",
            EntryKind::Left => "left",
            EntryKind::Dying => "was about to be killed",
            EntryKind::Requested { .. } => "asked for the lock",
            EntryKind::Released => "had released the lock",
            EntryKind::Busy => "was told that the lock is held",
            EntryKind::TimedOut => "timed out",
            EntryKind::Failed => "was told of an error",
        };
        let at = entry.time.saturating_sub(began) as f64 / 1e6;
        format!("{what} at {at:.3} ms")
    };
    let from = entries.len().saturating_sub(EVENTS);
    let mut told: Vec<String> = entries[from..].iter().map(words).collect();
    match last.kind {
        EntryKind::Entered | EntryKind::EnteredShared => {
            told.push("and was still in the section".into())
        }
        EntryKind::Requested { .. } => told.push("and was still waiting".into()),
        _ => {}
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_are_told_in_order_and_who_was_still_inside() {
        let entry = |time, kind| Entry {
            time,
            kind,
            saw: None,
        };
        let entries = [
            entry(1_000_000, EntryKind::Entered),
            entry(2_000_000, EntryKind::Left),
            entry(4_500_000, EntryKind::Entered),
        ];
        assert_eq!(
            in_words(&entries, 1_000_000),
            "came in at 0.000 ms, left at 1.000 ms, came in at 3.500 ms, and was still in the section"
        );
        assert_eq!(in_words(&[], 0), "was never in the section");
    }
}

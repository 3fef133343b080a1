//! The last events of a worker, for the report of one that failed.

use std::sync::atomic::Ordering;

use crate::testing::witness::{Entry, EntryKind, Shape, Witness};

/// Maximum number of events shown per thread.
const EVENTS: usize = 4;
/// Maximum number of threads shown.
const THREADS: usize = 8;

/// The worker with its process and thread, for messages.
pub(super) fn name(shape: Shape, worker: u32) -> String {
    let threads = shape.threads as u32;
    format!(
        "worker {worker} (process {}, thread {})",
        worker / threads,
        worker % threads
    )
}

/// A line for each thread of a process, with times since `began`.
pub(super) fn of_process(witness: &Witness, process: usize, began: u64) -> Vec<String> {
    let shape = witness.shape();
    let first = (process * shape.threads) as u32;
    let mut lines: Vec<String> = (first..)
        .take(shape.threads.min(THREADS))
        .map(|worker| {
            let call = witness.body_calls(worker).load(Ordering::Relaxed);
            let events = in_words(&witness.entries(worker), began);
            format!("{}, call {call} of the body: {events}", name(shape, worker))
        })
        .collect();
    if shape.threads > THREADS {
        lines.push(format!("and {} more threads", shape.threads - THREADS));
    }
    lines
}

fn in_words(entries: &[Entry], began: u64) -> String {
    let Some(last) = entries.last() else {
        return "never entered the section".into();
    };
    let words = |entry: &Entry| {
        let what = match entry.kind {
            EntryKind::Entered => "entered",
            EntryKind::EnteredShared => "entered as a reader",
            EntryKind::Left => "left",
            EntryKind::Dying => "was about to be killed",
            EntryKind::Requested { .. } => "requested the lock",
            EntryKind::Released => "released the lock",
            EntryKind::Busy => "was refused",
            EntryKind::TimedOut => "timed out",
            EntryKind::Failed => "got an error",
        };
        let at = entry.time.saturating_sub(began) as f64 / 1e6;
        format!("{what} at {at:.3} ms")
    };
    let from = entries.len().saturating_sub(EVENTS);
    let mut lines: Vec<String> = entries[from..].iter().map(words).collect();
    match last.kind {
        EntryKind::Entered | EntryKind::EnteredShared => {
            lines.push("and was still in the section".into())
        }
        EntryKind::Requested { .. } => lines.push("and was still waiting".into()),
        _ => {}
    }
    lines.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_events_are_shown_in_order_with_the_worker_still_inside() {
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
            "entered at 0.000 ms, left at 1.000 ms, entered at 3.500 ms, \
             and was still in the section"
        );
        assert_eq!(in_words(&[], 0), "never entered the section");
    }
}

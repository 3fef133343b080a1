//! The real overlaps among those that workers observed.

use super::log::{Entry, EntryKind};

/// Two workers in the section at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overlap {
    /// The worker that was inside.
    pub first: u32,
    /// The worker that entered while the first was inside.
    pub second: u32,
    /// Time at which the second worker entered: nanoseconds on the monotonic clock.
    pub at: u64,
    /// Time for which both were inside, in nanoseconds: 0 if that was too short for the clock,
    /// `None` if neither left.
    pub duration: Option<u64>,
}

/// A stay in the section.
#[derive(Clone, Copy, Debug)]
struct Stay {
    worker: u32,
    entered: u64,
    /// Set for a reader.
    shared: bool,
    /// Time at which it left or died.
    end: Option<u64>,
}

/// The overlaps in the logs of all workers, in order of time. A worker that had died when the other
/// entered was not inside.
pub(super) fn of(logs: &[Vec<Entry>]) -> Vec<Overlap> {
    let suspicious = |entry: &Entry| entry.saw.is_some() || entry.kind == EntryKind::EnteredShared;
    if !logs.iter().flatten().any(suspicious) {
        return Vec::new();
    }
    let mut stays: Vec<Stay> = (0..)
        .zip(logs)
        .flat_map(|(worker, log)| stays(worker, log))
        .collect();
    stays.sort_unstable_by_key(|stay| stay.entered);
    let mut inside: Vec<Stay> = Vec::new();
    let mut found = Vec::new();
    for stay in stays {
        inside.retain(|other| other.end.is_none_or(|end| end > stay.entered));
        for other in inside.iter().filter(|other| !(other.shared && stay.shared)) {
            let end = match (other.end, stay.end) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            };
            found.push(Overlap {
                first: other.worker,
                second: stay.worker,
                at: stay.entered,
                duration: end.map(|end| end - stay.entered),
            });
        }
        inside.push(stay);
    }
    add_overlaps_too_short_for_the_clock(logs, &mut found);
    found.sort_unstable_by_key(|overlap| overlap.at);
    found
}

/// The log shortens each stay a little, so an overlap seen in memory may be missing from the logs.
fn add_overlaps_too_short_for_the_clock(logs: &[Vec<Entry>], found: &mut Vec<Overlap>) {
    let known: Vec<Overlap> = found.clone();
    for (worker, log) in (0..).zip(logs) {
        for entry in log {
            let Some(other) = entry.saw else { continue };
            let was_dead = || {
                logs[other as usize]
                    .iter()
                    .any(|theirs| theirs.kind == EntryKind::Dying && theirs.time <= entry.time)
            };
            let (first, second) = match entry.kind {
                EntryKind::Entered => (other, worker),
                _ => (worker, other),
            };
            let is_known = known
                .iter()
                .any(|overlap| overlap.first == first && overlap.second == second);
            if !is_known && (entry.kind == EntryKind::Left || !was_dead()) {
                found.push(Overlap {
                    first,
                    second,
                    at: entry.time,
                    duration: Some(0),
                });
            }
        }
    }
}

fn stays(worker: u32, log: &[Entry]) -> Vec<Stay> {
    let mut stays: Vec<Stay> = Vec::new();
    for entry in log {
        match entry.kind {
            EntryKind::Entered | EntryKind::EnteredShared => stays.push(Stay {
                worker,
                entered: entry.time,
                shared: entry.kind == EntryKind::EnteredShared,
                end: None,
            }),
            EntryKind::Left | EntryKind::Dying => {
                if let Some(stay) = stays.last_mut() {
                    stay.end.get_or_insert(entry.time);
                }
            }
            EntryKind::Requested { .. }
            | EntryKind::Released
            | EntryKind::Busy
            | EntryKind::TimedOut
            | EntryKind::Failed => {}
        }
    }
    stays
}

#[cfg(test)]
mod tests {
    use super::super::{Shape, Witness};

    fn witness() -> Witness {
        Witness::new(Shape::new(2, 1, 16)).unwrap()
    }

    #[test]
    fn two_workers_inside_are_seen_and_one_after_the_other_is_not() {
        let witness = witness();
        drop(witness.enter(0));
        drop(witness.enter(1));
        assert_eq!(witness.overlaps(), []);
        let one = witness.enter(0);
        let two = witness.enter(1);
        drop(one);
        drop(two);
        let found = witness.overlaps();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].first, found[0].second), (0, 1));
        assert!(found[0].duration.is_some());
    }

    #[test]
    fn readers_overlap_with_writers_only() {
        let witness = witness();
        let one = witness.enter_shared(0);
        let two = witness.enter_shared(1);
        drop((one, two));
        drop(witness.enter(0));
        assert_eq!(witness.overlaps(), []);
        let one = witness.enter_shared(0);
        let two = witness.enter(1);
        drop((one, two));
        assert_eq!(witness.overlaps().len(), 1);
    }

    #[test]
    fn a_worker_that_died_inside_is_not_inside_any_more() {
        let witness = witness();
        std::mem::forget(witness.enter(0));
        witness.mark_dying(0);
        drop(witness.enter(1));
        assert_eq!(witness.overlaps(), []);
        std::mem::forget(witness.enter(1));
        drop(witness.enter(0));
        assert_eq!(witness.overlaps().len(), 1, "worker 1 has not died");
    }
}

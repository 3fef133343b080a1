//! A worker that waits far longer for the lock than all others.

use super::story::{self, milliseconds};
use crate::testing::history::{Event, EventKind};

/// Last waits of a worker that must all be long.
const WAITS: usize = 8;
/// Waits that every other worker must have for a comparison.
const WAITS_OF_OTHERS: usize = 16;
/// Factor by which the waits exceed three quarters of the waits of every other worker.
const LONGER: u64 = 3;
/// Waits that are compared are at least this long, in nanoseconds.
const SHORTEST: u64 = 1_000_000;

/// One wait that ended with the lock, while others acquired it.
#[derive(Clone, Copy, Debug)]
struct Wait {
    requested: u64,
    /// In nanoseconds.
    waited: u64,
    /// Acquisitions by other workers meanwhile.
    passed_over: u64,
}

/// Evidence that a worker is starved: each of its last waits, during which others acquired the
/// lock, took far longer than three quarters of every other worker's. Considers events from `began`
/// on.
///
/// If the first worker to poll gets the lock, waits vary widely, but all follow one distribution:
/// eight in a row that take three times as long are no coincidence.
pub(crate) fn starved(history: &[Event], began: u64) -> Option<String> {
    let workers = history.iter().map(|event| event.worker).max()? as usize + 1;
    let mut waits: Vec<Vec<Wait>> = vec![Vec::new(); workers];
    let mut requested = vec![None; workers];
    let mut acquired = vec![0u64; workers];
    let mut all = 0;
    for event in history.iter().filter(|event| event.time >= began) {
        let worker = event.worker as usize;
        match event.kind {
            EventKind::Requested { .. } => requested[worker] = Some((event.time, all)),
            EventKind::Acquired => {
                if let Some((at, before)) = requested[worker].take()
                    && all > before
                {
                    waits[worker].push(Wait {
                        requested: at,
                        waited: event.time - at,
                        passed_over: all - before,
                    });
                }
                acquired[worker] += 1;
                all += 1;
            }
            _ => requested[worker] = None,
        }
    }
    let others = |worker: usize| (0..workers).filter(move |other| *other != worker);
    let third_quartile = |worker: usize| {
        let mut times: Vec<u64> = waits[worker].iter().map(|wait| wait.waited).collect();
        times.sort_unstable();
        (times.len() >= WAITS_OF_OTHERS).then(|| times[times.len() * 3 / 4])
    };
    let (victim, shortest, usual) = (0..workers).find_map(|worker| {
        // Being passed over by one worker that was about to enter anyway is no loss.
        let lost = || {
            let waits = waits[worker].iter().rev();
            waits.filter(|wait| wait.passed_over >= 2).take(WAITS)
        };
        let shortest = lost().map(|wait| wait.waited).min()?;
        let usual: Vec<u64> = others(worker).filter_map(third_quartile).collect();
        let usual = (usual.len() >= 2 && usual.len() + 1 == workers).then_some(usual)?;
        let usual = usual.into_iter().max()?;
        (lost().count() == WAITS && shortest > LONGER * usual.max(SHORTEST))
            .then_some((worker, shortest, usual))
    })?;
    let others: Vec<String> = others(victim)
        .map(|other| format!("worker {other} {} times", acquired[other]))
        .collect();
    let longest = waits[victim].iter().max_by_key(|wait| wait.waited)?;
    Some(format!(
        "worker {victim} was starved: it acquired the lock {} times, {}; each of its last waits \
         took {} or longer, three quarters of the other workers' waits less than {}; its longest \
         wait began at {} and took {}, while others acquired the lock {} times",
        acquired[victim],
        others.join(", "),
        milliseconds(shortest),
        milliseconds(usual),
        milliseconds(longest.requested.saturating_sub(began)),
        milliseconds(longest.waited),
        longest.passed_over
    ))
}

/// The longest wait of a worker that ended with the lock, and the number of acquisitions by others
/// meanwhile.
pub(crate) fn longest_wait(history: &[Event], worker: u32) -> Option<String> {
    let mut requested = None;
    let mut longest: Option<(u64, usize, usize)> = None;
    for (at, event) in history.iter().enumerate() {
        if event.worker != worker {
            continue;
        }
        match event.kind {
            EventKind::Requested { .. } => requested = Some(at),
            EventKind::Acquired => {
                let Some(from) = requested.take() else {
                    continue;
                };
                let waited = event.time - history[from].time;
                if longest.is_none_or(|(longest, ..)| waited > longest) {
                    longest = Some((waited, from, at));
                }
            }
            _ => requested = None,
        }
    }
    let (waited, from, to) = longest?;
    let passed = history[from..to]
        .iter()
        .filter(|event| event.kind == EventKind::Acquired)
        .count();
    Some(format!(
        "its longest wait took {}, in which others acquired the lock {passed} times{}",
        milliseconds(waited),
        story::of(history, from, to)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history::Mode;
    use crate::testing::lock::WaitLimit;

    const REQUESTED: EventKind = EventKind::Requested {
        mode: Mode::Exclusive,
        limit: WaitLimit::Forever,
    };

    #[test]
    fn a_worker_that_is_passed_over_is_starved_and_equals_are_not() {
        let second = 1_000_000_000;
        let served = |every: [u64; 3]| {
            let mut events = Vec::new();
            for (worker, every) in (0..).zip(every) {
                let first = u64::from(worker) * 3_000_000;
                for at in (first..3 * second).step_by(every as usize) {
                    events.push((at + 1, worker, REQUESTED));
                    events.push((at + every - 2, worker, EventKind::Acquired));
                    events.push((at + every - 1, worker, EventKind::Releasing));
                    events.push((at + every, worker, EventKind::Released));
                }
            }
            events.sort_by_key(|event| event.0);
            let event = |(time, worker, kind)| Event { time, worker, kind };
            let history: Vec<Event> = events.into_iter().map(event).collect();
            starved(&history, 0)
        };
        let (often, seldom) = (10_000_000, 200_000_000);
        let story = served([often, seldom, often]).unwrap();
        assert!(story.starts_with("worker 1 was starved"), "{story}");
        assert_eq!(served([often, 2 * often, often]), None);
        assert_eq!(served([seldom, seldom, seldom]), None, "too few to tell");
    }
}

//! Merges the logs of all workers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Event;

/// Merges logs, each in order of time, into one history.
///
/// ```
/// use lockutils_harness::testing::history::{Event, EventKind, merge};
///
/// let event = |worker, time| Event { time, worker, kind: EventKind::Busy };
/// let history = merge(&[vec![event(0, 1), event(0, 5)], vec![event(1, 3)]]);
/// assert_eq!(history.iter().map(|event| event.time).collect::<Vec<_>>(), [1, 3, 5]);
/// ```
pub fn merge(logs: &[Vec<Event>]) -> Vec<Event> {
    let mut history = Vec::with_capacity(logs.iter().map(Vec::len).sum());
    let key = |log: usize, at: usize| {
        let event: Option<&Event> = logs[log].get(at);
        event.map(|event| Reverse((event.time, event.kind.rank(), log, at)))
    };
    let mut heads: BinaryHeap<_> = (0..logs.len()).filter_map(|log| key(log, 0)).collect();
    while let Some(Reverse((_, _, log, at))) = heads.pop() {
        history.push(logs[log][at]);
        heads.extend(key(log, at + 1));
    }
    history
}

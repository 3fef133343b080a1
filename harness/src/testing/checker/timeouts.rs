//! Timed waits end neither early nor late.

use std::time::Duration;

use super::status::Status;
use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, EventKind};
use crate::testing::lock::WaitLimit;

pub(super) fn check(history: &[Event], earliness: Duration, lateness: Option<Duration>) -> Finding {
    let mut workers: Workers<Option<(usize, Duration)>> = Workers::new();
    let mut anything = false;
    for (at, event) in history.iter().enumerate() {
        let pending = workers.of(event.worker);
        match event.kind {
            EventKind::Requested {
                limit: WaitLimit::AtMost(limit),
                ..
            } => *pending = Some((at, limit)),
            EventKind::TimedOut => {
                let Some((requested, limit)) = pending.take() else {
                    continue;
                };
                anything = true;
                let waited = Duration::from_nanos(event.time - history[requested].time);
                let (early, late) = (limit.saturating_sub(waited), waited.saturating_sub(limit));
                let by = if early > earliness {
                    format!("{} too early", millis(early))
                } else if lateness.is_some_and(|bound| late > bound) {
                    format!("{} too late", millis(late))
                } else {
                    continue;
                };
                return Finding::Violated(format!(
                    "worker {} was ready to wait for {} and timed out after {}, {by}; {}{}",
                    event.worker,
                    millis(limit),
                    millis(waited),
                    Status::after(&history[..=at]).holder(event.time),
                    story::of(history, requested, at)
                ));
            }
            _ => *pending = None,
        }
    }
    Finding::held_if(anything)
}

fn millis(time: Duration) -> String {
    milliseconds(time.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history::Mode;

    const fn requested(limit: WaitLimit) -> EventKind {
        EventKind::Requested {
            mode: Mode::Exclusive,
            limit,
        }
    }

    #[test]
    fn a_wait_that_ends_early_names_the_holder() {
        let limit = WaitLimit::AtMost(Duration::from_millis(20));
        let events = [
            (0, 0, requested(WaitLimit::Forever)),
            (1_000_000, 0, EventKind::Acquired),
            (2_000_000, 1, requested(limit)),
            (12_000_000, 1, EventKind::TimedOut),
        ];
        let event = |(time, worker, kind)| Event { time, worker, kind };
        let history: Vec<Event> = events.map(event).to_vec();
        let finding = check(&history, Duration::ZERO, None).to_string();
        assert!(finding.contains("10.000 ms too early"), "{finding}");
        assert!(
            finding.contains("worker 0 had held the lock since 1.000 ms"),
            "{finding}"
        );
        let tolerant = check(&history, Duration::from_millis(10), None);
        assert!(tolerant.is_held(), "{tolerant}");
    }
}

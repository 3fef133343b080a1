//! The events that show how a rule was broken.

use std::fmt::Write;

use crate::testing::history::{Event, EventKind, Mode};
use crate::testing::lock::WaitLimit;

/// Maximum number of events shown.
const SHOWN: usize = 10;

/// The events from `from` to `to`, and the last event of each worker before. Leaves out the middle
/// of long stretches.
pub(super) fn of(history: &[Event], from: usize, to: usize) -> String {
    let to = to.min(history.len().saturating_sub(1));
    let mut shown: Vec<usize> = (from..=to).collect();
    if shown.len() > SHOWN {
        // The beginning and the end matter most.
        shown = shown[..2]
            .iter()
            .chain(&shown[shown.len() - (SHOWN - 2)..])
            .copied()
            .collect();
    }
    let mut known: Vec<u32> = Vec::new();
    for at in (0..from.min(history.len())).rev() {
        if from - at > 4 * SHOWN || known.len() + shown.len() >= SHOWN + 4 {
            break;
        }
        if !known.contains(&history[at].worker) {
            known.push(history[at].worker);
            shown.push(at);
        }
    }
    shown.sort_unstable();
    let began = history.first().map_or(0, |event| event.time);
    let mut story = String::new();
    let mut before: Option<usize> = None;
    for at in shown {
        let event = history[at];
        if before.is_some_and(|before| before >= from && before + 1 < at) {
            story.push_str("\n        …");
        }
        before = Some(at);
        let time = (event.time - began) as f64 / 1e6;
        let _ = write!(
            story,
            "\n    {time:>12.3} ms  worker {} {}",
            event.worker,
            in_words(event.kind)
        );
    }
    story
}

/// A duration in milliseconds, for messages.
pub(super) fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.3} ms", nanoseconds as f64 / 1e6)
}

pub(super) fn in_words(kind: EventKind) -> String {
    match kind {
        EventKind::Requested { mode, limit } => {
            let shared = match mode {
                Mode::Exclusive => "",
                Mode::Shared => " shared",
            };
            match limit {
                WaitLimit::Forever => format!("requests the lock{shared} and waits"),
                WaitLimit::NoWait => format!("tries the lock{shared}"),
                WaitLimit::AtMost(time) => format!(
                    "requests the lock{shared} and waits for at most {}",
                    milliseconds(time.as_nanos() as u64)
                ),
            }
        }
        EventKind::Acquired => "holds the lock".into(),
        EventKind::Busy => "is refused: the lock is held".into(),
        EventKind::TimedOut => "times out".into(),
        EventKind::Failed => "gets an error".into(),
        EventKind::Releasing => "begins to release the lock".into(),
        EventKind::Released => "has released the lock".into(),
        EventKind::Died => "is killed".into(),
    }
}

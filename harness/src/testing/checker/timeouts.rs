//! Timed waits end neither early nor late.

use std::time::Duration;

use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, Kind, Patience};

pub(super) fn check(history: &[Event], earliness: Duration, lateness: Option<Duration>) -> Finding {
    let mut workers: Workers<Option<(usize, u64)>> = Workers::new();
    let mut anything = false;
    for (at, event) in history.iter().enumerate() {
        let asked = workers.of(event.worker);
        match event.kind {
            Kind::Asked {
                patience: Patience::Nanoseconds(patience),
                ..
            } => *asked = Some((at, patience)),
            Kind::TimedOut => {
                let Some((asked, patience)) = asked.take() else {
                    continue;
                };
                anything = true;
                let waited = event.time - history[asked].time;
                let told = |how| {
                    Finding::Violated(format!(
                        "worker {} was ready to wait for {} and was told {how}, after {}, that its time is over{}",
                        event.worker,
                        milliseconds(patience),
                        milliseconds(waited),
                        story::of(history, asked, at)
                    ))
                };
                if u128::from(waited) + earliness.as_nanos() < u128::from(patience) {
                    return told("too early");
                }
                if lateness.is_some_and(|bound| {
                    u128::from(waited.saturating_sub(patience)) > bound.as_nanos()
                }) {
                    return told("too late");
                }
            }
            _ => *asked = None,
        }
    }
    Finding::held_if(anything)
}

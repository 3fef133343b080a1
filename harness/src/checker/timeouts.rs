//! Timed waits end neither early nor late.

use std::time::Duration;

use super::{Workers, held_if, milliseconds};
use crate::history::{Event, Kind, Patience};
use crate::verdict::Verdict;

pub(super) fn check(history: &[Event], lateness: Option<Duration>) -> Verdict {
    let mut workers: Workers<Option<(u64, u64)>> = Workers::new();
    let mut anything = false;
    for event in history {
        let asked = workers.of(event.worker);
        match event.kind {
            Kind::Asked {
                patience: Patience::Nanoseconds(patience),
                ..
            } => *asked = Some((event.time, patience)),
            Kind::TimedOut => {
                let Some((since, patience)) = asked.take() else {
                    continue;
                };
                anything = true;
                let waited = event.time - since;
                let told = |how| {
                    Verdict::Violated(format!(
                        "worker {} was ready to wait for {} and came back {how}, after {}",
                        event.worker,
                        milliseconds(patience),
                        milliseconds(waited)
                    ))
                };
                if waited < patience {
                    return told("early");
                }
                if lateness.is_some_and(|bound| u128::from(waited - patience) > bound.as_nanos()) {
                    return told("late");
                }
            }
            _ => *asked = None,
        }
    }
    held_if(anything)
}

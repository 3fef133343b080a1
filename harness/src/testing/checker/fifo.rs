//! First come, first served.
//!
//! The moment at which a waiter joined the queue cannot be observed, only that it was after its
//! request. So a worker that requested the lock later by more than a slack must not acquire it
//! first.

use std::collections::VecDeque;

use super::story::{self, milliseconds};
use super::workers::Workers;
use crate::testing::finding::Finding;
use crate::testing::history::{Event, EventKind};
use crate::testing::lock::WaitLimit;

pub(super) fn check(history: &[Event], slack: u64) -> Finding {
    // Waiters in the order of their requests; the number distinguishes the waits of one worker.
    let mut queue: VecDeque<(u32, u64, usize)> = VecDeque::new();
    let mut waits: Workers<Option<(u64, usize)>> = Workers::new();
    let (mut number, mut anything) = (0u64, false);
    for (at, event) in history.iter().enumerate() {
        match event.kind {
            EventKind::Requested { limit, .. } if limit != WaitLimit::NoWait => {
                number += 1;
                *waits.of(event.worker) = Some((number, at));
                queue.push_back((event.worker, number, at));
            }
            EventKind::Acquired => {
                let Some((mine, requested)) = waits.of(event.worker).take() else {
                    continue;
                };
                anything = true;
                while let Some(&(worker, number, first_requested)) = queue.front() {
                    let still_waits = waits.of(worker).is_some_and(|(wait, _)| wait == number);
                    if number != mine && still_waits {
                        let earlier = history[requested]
                            .time
                            .saturating_sub(history[first_requested].time);
                        if earlier > slack {
                            return Finding::Violated(format!(
                                "worker {} acquired the lock before worker {worker}, which had \
                                 requested it {} earlier and still waits{}",
                                event.worker,
                                milliseconds(earlier),
                                story::of(history, first_requested, at)
                            ));
                        }
                        break;
                    }
                    queue.pop_front();
                }
            }
            EventKind::TimedOut | EventKind::Failed | EventKind::Died => {
                *waits.of(event.worker) = None
            }
            _ => {}
        }
    }
    Finding::held_if(anything)
}

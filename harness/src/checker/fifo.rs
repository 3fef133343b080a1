//! First come, first served.
//!
//! When a waiter took its place in the queue cannot be seen, only that this was after it asked. So one that asked later by more than a slack
//! must not acquire first.

use std::collections::VecDeque;

use super::{Workers, held_if, milliseconds};
use crate::history::{Event, Kind, Patience};
use crate::verdict::Verdict;

pub(super) fn check(history: &[Event], slack: u64) -> Verdict {
    // Waiters in the order in which they asked; the number tells one wait of a worker from its next.
    let mut queue: VecDeque<(u32, u64, u64)> = VecDeque::new();
    let mut waits: Workers<Option<(u64, u64)>> = Workers::new();
    let (mut number, mut anything) = (0u64, false);
    for event in history {
        match event.kind {
            Kind::Asked { patience, .. } if patience != Patience::None => {
                number += 1;
                *waits.of(event.worker) = Some((number, event.time));
                queue.push_back((event.worker, number, event.time));
            }
            Kind::Acquired => {
                let Some((mine, asked)) = waits.of(event.worker).take() else {
                    continue;
                };
                anything = true;
                while let Some(&(worker, number, first_asked)) = queue.front() {
                    let still_waits = waits.of(worker).is_some_and(|(wait, _)| wait == number);
                    if number != mine && still_waits {
                        if first_asked + slack < asked {
                            return Verdict::Violated(format!(
                                "worker {} acquired before worker {worker}, which had asked {} earlier",
                                event.worker,
                                milliseconds(asked - first_asked)
                            ));
                        }
                        break;
                    }
                    queue.pop_front();
                }
            }
            Kind::TimedOut | Kind::Failed | Kind::Died => *waits.of(event.worker) = None,
            _ => {}
        }
    }
    held_if(anything)
}

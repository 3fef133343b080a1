//! The part of a history that a report shows, in bounded memory.

use std::collections::VecDeque;

use crate::model::{Event, EventKind};

use super::judge::SlotId;

/// Number of events kept before an overlap, at the beginning and at the end.
const BEFORE: usize = 400;
/// Number of events kept after an overlap.
const AFTER: usize = 200;

/// Keeps the first events, the last ones, and those around the first overlap.
#[derive(Debug, Default)]
pub struct Timeline {
    opening: Vec<Event>,
    recent: VecDeque<Event>,
    around: Option<Vec<Event>>,
    to_come: usize,
}

impl Timeline {
    pub fn note(&mut self, at: u64, id: SlotId, what: EventKind) {
        let event = Event {
            at_ns: at,
            worker: id.worker,
            slot: id.slot,
            what,
        };
        if self.opening.len() < BEFORE {
            self.opening.push(event);
        }
        if self.to_come > 0
            && let Some(around) = &mut self.around
        {
            around.push(event);
            self.to_come -= 1;
        }
        if self.recent.len() == BEFORE {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// Marks an overlap at the last event. `again` is `true` if the previous one was discarded.
    pub fn mark_overlap(&mut self, again: bool) {
        if self.around.is_none() || (again && self.to_come == 0) {
            self.around = Some(self.recent.iter().copied().collect());
            self.to_come = AFTER;
        }
    }

    /// The events around this moment; otherwise the last or the first events.
    pub fn excerpt(self, overlap: Option<u64>, show_the_end: bool) -> Vec<Event> {
        let covers = |events: &Vec<Event>, at: u64| {
            events.first().is_some_and(|first| first.at_ns <= at)
                && events.last().is_some_and(|last| last.at_ns >= at)
        };
        match (overlap, self.around) {
            (Some(at), Some(around)) if covers(&around, at) => around,
            _ if show_the_end => self.recent.into(),
            _ => self.opening,
        }
    }
}

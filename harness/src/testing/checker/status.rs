//! Waiters and holders at one moment of a history, in words.

use super::story::milliseconds;
use super::workers::Workers;
use crate::testing::history::{Event, EventKind};

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Outside,
    Waiting {
        since: u64,
    },
    Holding {
        since: u64,
    },
    Releasing {
        since: u64,
    },
}

/// The state of the lock and its workers after the last event of a history.
#[derive(Debug)]
pub(crate) struct Status {
    workers: Workers<State>,
    /// The worker that released the lock last, and the time.
    last_release: Option<(u32, u64)>,
    /// A holder died, and no worker has acquired the lock since.
    holder_died: bool,
    began: u64,
}

impl Status {
    pub(crate) fn after(history: &[Event]) -> Self {
        let mut status = Status {
            workers: Workers::new(),
            last_release: None,
            holder_died: false,
            began: history.first().map_or(0, |event| event.time),
        };
        for event in history {
            status.follow(event);
        }
        status
    }

    fn follow(&mut self, event: &Event) {
        let since = event.time;
        let state = self.workers.of(event.worker);
        let before = *state;
        *state = match event.kind {
            EventKind::Requested { .. } => State::Waiting { since },
            EventKind::Acquired => State::Holding { since },
            EventKind::Releasing => State::Releasing { since },
            _ => State::Outside,
        };
        match event.kind {
            EventKind::Acquired => self.holder_died = false,
            EventKind::Released => self.last_release = Some((event.worker, since)),
            EventKind::Died => {
                self.holder_died |=
                    matches!(before, State::Holding { .. } | State::Releasing { .. });
            }
            _ => {}
        }
    }

    fn at(&self, time: u64) -> String {
        milliseconds(time.saturating_sub(self.began))
    }

    fn find(&self, wanted: impl Fn(State) -> Option<u64>) -> Option<(usize, u64)> {
        let mut states = self.workers.0.iter().enumerate();
        states.find_map(|(worker, state)| Some((worker, wanted(*state)?)))
    }

    /// The worker that holds the lock, and the time since when.
    fn holding(&self) -> Option<(usize, u64)> {
        self.find(|state| match state {
            State::Holding { since } => Some(since),
            _ => None,
        })
    }

    /// Returns `true` if a worker holds the lock.
    pub(crate) fn is_held(&self) -> bool {
        self.holding().is_some()
    }

    /// The current or the last holder.
    pub(crate) fn holder(&self, now: u64) -> String {
        let releasing = || {
            self.find(|state| match state {
                State::Releasing { since } => Some(since),
                _ => None,
            })
        };
        if let Some((worker, since)) = self.holding() {
            let held = milliseconds(now.saturating_sub(since));
            let since = self.at(since);
            return format!("worker {worker} had held the lock since {since}, for {held}");
        }
        if let Some((worker, since)) = releasing() {
            let since = self.at(since);
            return format!("worker {worker} has been releasing the lock since {since}");
        }
        match self.last_release {
            _ if self.holder_died => "the last holder of the lock died".into(),
            Some((worker, at)) => format!(
                "no worker held the lock: worker {worker} was the last to hold it and released \
                 it at {}",
                self.at(at)
            ),
            None => "no worker had held the lock before".into(),
        }
    }

    /// A clause for each worker that has not returned from an acquire or a release.
    pub(crate) fn pending(&self, now: u64) -> Vec<String> {
        let states = self.workers.0.iter().enumerate();
        states
            .filter_map(|(worker, state)| match state {
                State::Waiting { since } => Some(format!(
                    "worker {worker} has waited for the lock since {}, for {}",
                    self.at(*since),
                    milliseconds(now.saturating_sub(*since))
                )),
                State::Releasing { since } => Some(format!(
                    "worker {worker} has not returned from the release that it began at {}",
                    self.at(*since)
                )),
                _ => None,
            })
            .collect()
    }

    /// The whole status in one sentence.
    pub(crate) fn describe(&self, now: u64) -> String {
        let mut clauses = self.pending(now);
        clauses.push(self.holder(now));
        clauses.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history::Mode;
    use crate::testing::lock::WaitLimit;

    #[test]
    fn waiters_and_the_last_holder_are_named() {
        let requested = EventKind::Requested {
            mode: Mode::Exclusive,
            limit: WaitLimit::Forever,
        };
        let events = [
            (0, requested),
            (0, EventKind::Acquired),
            (1, requested),
            (0, EventKind::Releasing),
            (0, EventKind::Released),
        ];
        let event = |(time, (worker, kind))| Event { time, worker, kind };
        let history: Vec<Event> = (0..)
            .map(|n| n * 1_000_000)
            .zip(events)
            .map(event)
            .collect();
        let text = Status::after(&history).describe(5_000_000);
        assert!(text.starts_with("worker 1 has waited for the lock since 2.000 ms, for 3.000 ms"));
        assert!(text.contains("worker 0 was the last to hold it and released it at 4.000 ms"));
        assert!(Status::after(&history[..3]).is_held());
        let mut died = history[..3].to_vec();
        died.push(Event {
            time: 3_000_000,
            worker: 0,
            kind: EventKind::Died,
        });
        let text = Status::after(&died).holder(5_000_000);
        assert_eq!(text, "the last holder of the lock died");
    }
}

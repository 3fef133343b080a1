//! What a history shows against a lock, in words: who waited, since when, who held it, and what the lock answered.
//!
//! Nothing is held against a lock that it may not have done. A refusal counts only if nobody else held the lock, asked for it or gave it back
//! at any moment of the attempt: another that was just about to give up may have had a part of it.

use crate::testing::history::{Event, Kind, Patience};

/// A wait that was to end may be this late: far more than a loaded machine delays it.
const LATE: u64 = 3_000_000_000;

#[derive(Clone, Copy, Debug, Default)]
enum State {
    #[default]
    Outside,
    Asked {
        at: u64,
        patience: Option<Patience>,
        /// Nobody else was doing anything with the lock.
        alone: bool,
        /// Attempts of all until then.
        attempts: u64,
    },
    Holds {
        since: u64,
    },
    Releasing {
        at: u64,
    },
}

/// Follows a history, event by event.
#[derive(Debug, Default)]
struct Follower {
    states: Vec<State>,
    attempts: u64,
    /// Who gave it back last, and when it was back.
    last: Option<(u32, u64)>,
    /// The last one that died with the lock, if nobody has got it since: when the kernel had given it back is not known.
    died: bool,
    began: u64,
}

/// The first thing that a correct lock does not do.
pub(super) fn against(history: &[Event], began: u64) -> Option<String> {
    let mut follower = Follower::new(began);
    history.iter().find_map(|event| follower.follow(event))
}

/// Who waits, who holds it, and who had it last, at the end of a history.
pub(super) fn at_the_end(history: &[Event], began: u64, now: u64) -> String {
    let mut follower = Follower::new(began);
    for event in history {
        follower.follow(event);
    }
    follower.story(now)
}

/// A time for people.
pub(super) fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.3} ms", nanoseconds as f64 / 1e6)
}

impl Follower {
    fn new(began: u64) -> Self {
        Follower {
            began,
            ..Follower::default()
        }
    }

    fn at(&self, time: u64) -> String {
        milliseconds(time.saturating_sub(self.began))
    }

    fn follow(&mut self, event: &Event) -> Option<String> {
        let who = event.worker as usize;
        if self.states.len() <= who {
            self.states.resize(who + 1, State::Outside);
        }
        let before = self.states[who];
        match event.kind {
            Kind::Asked { patience, .. } => {
                let others = self.states.iter().enumerate();
                let alone = others
                    .filter(|(other, _)| *other != who)
                    .all(|(_, state)| matches!(state, State::Outside));
                self.attempts += 1;
                self.states[who] = State::Asked {
                    at: event.time,
                    patience: Some(patience),
                    alone: alone && !self.died,
                    attempts: self.attempts,
                };
                None
            }
            Kind::Acquired => {
                let complaint = self.second_holder(event, before);
                self.died = false;
                self.states[who] = State::Holds { since: event.time };
                complaint
            }
            Kind::Busy | Kind::TimedOut => {
                let complaint = self.refusal(event, before);
                self.states[who] = State::Outside;
                complaint
            }
            Kind::Failed => {
                self.states[who] = State::Outside;
                None
            }
            Kind::Releasing => {
                self.states[who] = State::Releasing { at: event.time };
                None
            }
            Kind::Released => {
                self.states[who] = State::Outside;
                self.last = Some((event.worker, event.time));
                None
            }
            Kind::Died => {
                self.died |= matches!(before, State::Holds { .. } | State::Releasing { .. });
                self.states[who] = State::Outside;
                None
            }
        }
    }

    fn second_holder(&self, event: &Event, before: State) -> Option<String> {
        let (first, since) = self.holder()?;
        let asked = match before {
            State::Asked { at, .. } => format!(" (it had asked at {})", self.at(at)),
            _ => String::new(),
        };
        Some(format!(
            "worker {} was given the lock at {}{asked} while worker {first} had held it since {}",
            event.worker,
            self.at(event.time),
            self.at(since)
        ))
    }

    fn holder(&self) -> Option<(usize, u64)> {
        let mut states = self.states.iter().enumerate();
        states.find_map(|(worker, state)| match state {
            State::Holds { since } => Some((worker, *since)),
            _ => None,
        })
    }

    fn refusal(&self, event: &Event, before: State) -> Option<String> {
        let State::Asked {
            at,
            patience,
            alone,
            attempts,
        } = before
        else {
            return None;
        };
        let waited = event.time - at;
        let who = event.worker;
        let asked = match patience {
            Some(Patience::Nanoseconds(time)) => format!(
                "worker {who} asked for the lock at {}, ready to wait for {}",
                self.at(at),
                milliseconds(time)
            ),
            _ => format!("worker {who} tried the lock at {}", self.at(at)),
        };
        let answer = match event.kind {
            Kind::TimedOut => "timed out",
            _ => "busy",
        };
        if let (Some(Patience::Nanoseconds(time)), Kind::TimedOut) = (patience, event.kind) {
            let how = if waited < time {
                Some(format!("{} too early", milliseconds(time - waited)))
            } else if waited - time > LATE {
                Some(format!("{} too late", milliseconds(waited - time)))
            } else {
                None
            };
            if let Some(how) = how {
                return Some(format!(
                    "{asked}, and the lock answered `{answer}` after {}: {how}; {}",
                    milliseconds(waited),
                    self.who_holds(event.time)
                ));
            }
        }
        (alone && attempts == self.attempts).then(|| {
            format!(
                "{asked}, and the lock answered `{answer}` after {} although nobody held it or asked for it meanwhile; {}",
                milliseconds(waited),
                self.who_holds(event.time)
            )
        })
    }

    fn who_holds(&self, now: u64) -> String {
        if let Some((worker, since)) = self.holder() {
            let held = milliseconds(now.saturating_sub(since));
            return format!(
                "worker {worker} had held it since {}, for {held}",
                self.at(since)
            );
        }
        let mut states = self.states.iter().enumerate();
        let releasing = states.find_map(|(worker, state)| match state {
            State::Releasing { at } => Some((worker, *at)),
            _ => None,
        });
        match (releasing, self.last) {
            (Some((worker, at)), _) => {
                format!(
                    "worker {worker} has been giving it back since {}",
                    self.at(at)
                )
            }
            _ if self.died => "its last holder died".into(),
            (None, Some((worker, at))) => {
                format!(
                    "nobody held it: worker {worker} had given it back at {}",
                    self.at(at)
                )
            }
            (None, None) => "nobody had held it before".into(),
        }
    }

    fn story(&self, now: u64) -> String {
        let waiters: Vec<String> = self
            .states
            .iter()
            .enumerate()
            .filter_map(|(worker, state)| match state {
                State::Asked { at, .. } => Some(format!(
                    "worker {worker} has waited since {}, for {}",
                    self.at(*at),
                    milliseconds(now.saturating_sub(*at))
                )),
                _ => None,
            })
            .collect();
        let holds = self.who_holds(now);
        match waiters.is_empty() {
            true => holds,
            false => format!("{}; {holds}", waiters.join("; ")),
        }
    }
}

/// A worker whose last waits, while others got the lock, were each far longer than three quarters of everybody else's.
///
/// Where whoever looks first gets the lock, waits differ much, but all draw theirs from the same hat: eight in a row that are three times as long
/// are no chance.
pub(super) fn starved(history: &[Event], began: u64) -> Option<String> {
    const WAITS: usize = 8;
    const WAITS_OF_OTHERS: usize = 16;
    const LONGER: u64 = 3;
    let workers = history.iter().map(|event| event.worker).max()? as usize + 1;
    // Of each worker: when it asked, how long it waited, and how often others got the lock meanwhile.
    let mut waits: Vec<Vec<(u64, u64, u64)>> = vec![Vec::new(); workers];
    let mut asked = vec![None; workers];
    let mut sections = vec![0u64; workers];
    let mut all = 0;
    for event in history.iter().filter(|event| event.time >= began) {
        let worker = event.worker as usize;
        match event.kind {
            Kind::Asked { .. } => asked[worker] = Some((event.time, all)),
            Kind::Acquired => {
                if let Some((at, before)) = asked[worker].take()
                    && all > before
                {
                    waits[worker].push((at, event.time - at, all - before));
                }
                sections[worker] += 1;
                all += 1;
            }
            _ => asked[worker] = None,
        }
    }
    let others = |worker: usize| (0..workers).filter(move |other| *other != worker);
    let usual = |worker: usize| {
        let mut times: Vec<u64> = waits[worker].iter().map(|wait| wait.1).collect();
        times.sort_unstable();
        (times.len() >= WAITS_OF_OTHERS).then(|| times[times.len() * 3 / 4])
    };
    let (victim, shortest, usual) = (0..workers).find_map(|worker| {
        // Passed over by one that was about to come in anyway is no loss.
        let lost = || {
            waits[worker]
                .iter()
                .rev()
                .filter(|wait| wait.2 >= 2)
                .take(WAITS)
        };
        let shortest = lost().map(|wait| wait.1).min()?;
        let usual: Vec<u64> = others(worker).filter_map(usual).collect();
        let usual = (usual.len() >= 2 && usual.len() + 1 == workers).then_some(usual)?;
        let usual = usual.into_iter().max()?;
        (lost().count() == WAITS && shortest > LONGER * usual.max(1_000_000))
            .then_some((worker, shortest, usual))
    })?;
    let others: Vec<String> = others(victim)
        .map(|other| format!("worker {other} {} times", sections[other]))
        .collect();
    let (since, wait, meanwhile) = *waits[victim].iter().max_by_key(|wait| wait.1)?;
    Some(format!(
        "worker {victim} was starved: it got the lock {} times, {}; its last waits took {} or longer, three quarters of the others' less than {}; \
         its longest wait began at {} and lasted {}, while others got the lock {meanwhile} times",
        sections[victim],
        others.join(", "),
        milliseconds(shortest),
        milliseconds(usual),
        milliseconds(since.saturating_sub(began)),
        milliseconds(wait)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::history::Mode;

    const FOREVER: Kind = asked(Patience::Forever);
    const TRY: Kind = asked(Patience::None);

    const fn asked(patience: Patience) -> Kind {
        Kind::Asked {
            mode: Mode::Exclusive,
            patience,
        }
    }

    fn history(events: &[(u64, u32, Kind)]) -> Vec<Event> {
        let event = |&(time, worker, kind)| Event { time, worker, kind };
        events.iter().map(event).collect()
    }

    #[test]
    fn a_refusal_counts_only_if_nobody_else_did_anything() {
        let alone = history(&[
            (1, 0, FOREVER),
            (2, 0, Kind::Acquired),
            (3, 0, Kind::Releasing),
            (4, 0, Kind::Released),
            (5, 1, TRY),
            (6, 1, Kind::Busy),
        ]);
        let complaint = against(&alone, 0).unwrap();
        assert!(complaint.contains("worker 1 tried the lock"), "{complaint}");
        assert!(
            complaint.contains("worker 0 had given it back"),
            "{complaint}"
        );
        let mut while_released = alone.clone();
        while_released[3].time = 7;
        while_released.sort_by_key(|event| event.time);
        assert_eq!(against(&while_released, 0), None);
        let while_another_gives_up = history(&[
            (1, 0, asked(Patience::Nanoseconds(1))),
            (2, 1, TRY),
            (3, 1, Kind::Busy),
            (4, 0, Kind::Acquired),
        ]);
        assert_eq!(against(&while_another_gives_up, 0), None);
        let another_asks_meanwhile = history(&[
            (1, 0, TRY),
            (2, 1, TRY),
            (3, 1, Kind::Acquired),
            (4, 1, Kind::Releasing),
            (5, 1, Kind::Released),
            (6, 0, Kind::Busy),
        ]);
        assert_eq!(against(&another_asks_meanwhile, 0), None);
    }

    #[test]
    fn after_a_death_nobody_knows_when_the_lock_was_free() {
        let events = history(&[
            (1, 0, FOREVER),
            (2, 0, Kind::Acquired),
            (3, 0, Kind::Died),
            (4, 1, TRY),
            (5, 1, Kind::Busy),
        ]);
        assert_eq!(against(&events, 0), None);
    }

    #[test]
    fn a_wait_that_ends_early_names_the_holder() {
        let events = history(&[
            (0, 0, FOREVER),
            (1_000_000, 0, Kind::Acquired),
            (2_000_000, 1, asked(Patience::Nanoseconds(20_000_000))),
            (12_000_000, 1, Kind::TimedOut),
        ]);
        let complaint = against(&events, 0).unwrap();
        assert!(complaint.contains("10.000 ms too early"), "{complaint}");
        assert!(
            complaint.contains("worker 0 had held it since 1.000 ms"),
            "{complaint}"
        );
    }

    #[test]
    fn a_second_holder_is_told_with_the_first() {
        let events = history(&[
            (1, 0, FOREVER),
            (2, 0, Kind::Acquired),
            (3, 1, FOREVER),
            (4, 1, Kind::Acquired),
        ]);
        let complaint = against(&events, 0).unwrap();
        assert!(
            complaint.contains("while worker 0 had held it"),
            "{complaint}"
        );
    }

    #[test]
    fn one_that_is_passed_over_is_starved_and_equals_are_not() {
        let second = 1_000_000_000;
        let served = |every: [u64; 3]| {
            let mut events = Vec::new();
            for (worker, every) in every.into_iter().enumerate() {
                let worker = worker as u32;
                let first = u64::from(worker) * 3_000_000;
                for at in (first..3 * second).step_by(every as usize) {
                    events.push((at + 1, worker, FOREVER));
                    events.push((at + every - 2, worker, Kind::Acquired));
                    events.push((at + every - 1, worker, Kind::Releasing));
                    events.push((at + every, worker, Kind::Released));
                }
            }
            events.sort_by_key(|event| event.0);
            starved(&history(&events), 0)
        };
        let (often, seldom) = (10_000_000, 200_000_000);
        let story = served([often, seldom, often]).unwrap();
        assert!(story.starts_with("worker 1 was starved"), "{story}");
        assert_eq!(served([often, 2 * often, often]), None);
        assert_eq!(served([seldom, seldom, seldom]), None, "too few to tell");
    }
}

//! Now and then the load stands back, so that what is asked has one right answer.
//!
//! First a round of waits that end in vain: one slot holds the lock, the others wait for some milliseconds, again and again. Then, with everybody
//! outside, one slot after the other tries the lock. What is refused there has no reason: a lock that says busy although it is free, and one that a
//! wait which was given up has taken behind everybody's back, are seen.

use crate::model::EventKind;

use super::Load;
use super::phase::{BETWEEN, Phase};
use crate::model::Scenario;
use crate::protocol::{Capability, Verb};
use crate::workers::pool::State;

/// For how long one slot holds the lock while the others wait in vain.
const HELD: u64 = 30_000_000;
/// For how long the lock is tried, one slot at a time.
const ALONE: u64 = 25_000_000;
/// A timed wait in a round, in milliseconds, at most.
const LONGEST: u64 = 8;
/// A timed wait for a lock that nobody has.
const LONG_ENOUGH: u64 = 50;

impl Load<'_> {
    /// Whether nothing is done to the lock in this scenario but to use it, so that its answers can be judged.
    pub(super) fn is_undisturbed(&self) -> bool {
        matches!(self.scenario, Scenario::Contend | Scenario::Threads) && !self.uncertain
    }

    /// Somebody may hold the lock of whom we do not know.
    pub(super) fn become_uncertain(&mut self) {
        self.uncertain = true;
        self.wake_the_parked(self.now());
    }

    /// Whether nobody but this slot can hold the lock.
    pub(super) fn is_alone(&self, place: usize, slot: usize) -> bool {
        self.is_undisturbed()
            && self.options.lease.is_none()
            && self
                .pool
                .workers
                .iter()
                .enumerate()
                .all(|(other, worker_slot)| {
                    let slots = worker_slot.slots.iter().enumerate();
                    slots
                        .filter(|(number, _)| (other, *number) != (place, slot))
                        .all(|(_, other)| matches!(other.state, State::Idle { .. }))
                })
    }

    /// Whether a slot that is outside may ask now, by itself.
    pub(super) fn may_ask(&self) -> bool {
        matches!(self.phase, Phase::Free { .. })
    }

    /// When the phase wants to be looked at again.
    pub(super) fn next_of_phase(&self, now: u64) -> u64 {
        match self.phase {
            Phase::Free { until } => until.max(now),
            _ => now + 1_000_000,
        }
    }

    /// Goes on to the next phase if it is time, and has slots ask what belongs to this one.
    pub(super) fn go_through_phases(&mut self, now: u64) {
        if !self.is_undisturbed() {
            self.phase = Phase::Free { until: u64::MAX };
            return;
        }
        match self.phase {
            Phase::Free { until } if until <= now => self.phase = Phase::Gathering,
            Phase::Free { .. } => {}
            Phase::Gathering if !self.all_are_outside() => {}
            Phase::Gathering => {
                let (place, slot) = self.some_slot();
                match self.can.has(Capability::Timeout) && self.slots_in_all() > 1 {
                    true => {
                        self.phase = Phase::Holding { place, slot };
                        self.ask_with(place, slot, Verb::Acquire);
                    }
                    false => self.begin_to_try(now),
                }
            }
            Phase::Holding { place, slot } => self.have_others_wait(place, slot, now),
            Phase::Alone { until, .. } if until <= now => {
                if self.all_are_outside() {
                    self.go_free(now);
                }
            }
            Phase::Alone { until, next } => {
                if self.all_are_outside() {
                    self.try_alone(until, next);
                }
            }
        }
    }

    fn go_free(&mut self, now: u64) {
        self.phase = Phase::Free {
            until: now + BETWEEN,
        };
        for slot in self
            .pool
            .workers
            .iter_mut()
            .flat_map(|worker_slot| &mut worker_slot.slots)
        {
            if let State::Idle { until } = &mut slot.state {
                *until = now;
            }
        }
    }

    fn have_others_wait(&mut self, holder: usize, its: usize, now: u64) {
        let until = match self.pool.workers[holder].slots[its].state {
            State::Inside { until } => until,
            State::Idle { .. } if self.all_are_outside() => return self.begin_to_try(now),
            _ => return,
        };
        for place in 0..self.pool.workers.len() {
            for slot in 0..self.slots {
                let outside = matches!(
                    self.pool.workers[place].slots[slot].state,
                    State::Idle { .. }
                );
                let time = 1 + self.random.below(LONGEST);
                if outside
                    && self.pool.workers[place].process.is_some()
                    && now + time * 1_000_000 < until
                {
                    self.ask_with(place, slot, Verb::AcquireTimeout(time));
                }
            }
        }
    }

    fn begin_to_try(&mut self, now: u64) {
        self.phase = match self.can.has(Capability::NoTry) {
            true => Phase::Free {
                until: now + BETWEEN,
            },
            false => Phase::Alone {
                until: now + ALONE,
                next: 0,
            },
        };
    }

    fn try_alone(&mut self, until: u64, next: usize) {
        let slots = self.slots_in_all();
        let (place, slot) = (next % slots / self.slots, next % self.slots);
        let next = next + 1;
        self.phase = Phase::Alone { until, next };
        if self.pool.workers[place].process.is_none() {
            return;
        }
        let timed = self.can.has(Capability::Timeout) && self.random.once_in(5);
        let verb = match timed {
            true => Verb::AcquireTimeout(LONG_ENOUGH),
            false => Verb::Try,
        };
        self.ask_with(place, slot, verb);
    }

    /// How long a slot that has come in stays there in this phase, if the phase says so.
    pub(super) fn hold_of_phase(&self, place: usize, slot: usize) -> Option<u64> {
        match self.phase {
            Phase::Holding {
                place: holder,
                slot: its,
            } if (holder, its) == (place, slot) => Some(HELD),
            Phase::Holding { .. } | Phase::Alone { .. } => Some(0),
            _ => None,
        }
    }

    fn some_slot(&mut self) -> (usize, usize) {
        let number = self.random.below(self.slots_in_all() as u64) as usize;
        (number / self.slots, number % self.slots)
    }

    fn slots_in_all(&self) -> usize {
        self.pool.workers.len() * self.slots
    }

    fn all_are_outside(&self) -> bool {
        self.pool.workers.iter().all(|worker_slot| {
            let mut slots = worker_slot.slots.iter();
            worker_slot.process.is_some()
                && slots.all(|slot| matches!(slot.state, State::Idle { .. }))
        })
    }

    /// An attempt ended without the lock. Says what is wrong about that, if anything is.
    pub(super) fn judge_refusal(&mut self, place: usize, slot: usize, what: EventKind, now: u64) {
        let state = self.pool.workers[place].slots[slot];
        let State::Asked { verb, at } = state.state else {
            return;
        };
        let answer = match what {
            EventKind::Busy => "busy",
            _ => "timeout",
        };
        let waited = now.saturating_sub(at);
        let asked = format!(
            "worker {place} slot {slot} was asked `{verb}` at {} and answered `{answer}` {} later",
            milliseconds(at),
            milliseconds(waited)
        );
        if let (Verb::AcquireTimeout(time), EventKind::TimedOut) = (verb, what) {
            let time = time * 1_000_000;
            let early = time.saturating_sub(waited);
            let late = waited.saturating_sub(time);
            if early > TOO_EARLY.max(time / 50) {
                let why = format!(
                    "{asked}, {} too early; {}",
                    milliseconds(early),
                    self.who_holds()
                );
                return self.answered_wrongly(why);
            }
            if late > TOO_LATE && !state.stalled && self.is_undisturbed() {
                let why = format!(
                    "{asked}, {} too late; {}",
                    milliseconds(late),
                    self.who_holds()
                );
                return self.answered_wrongly(why);
            }
        }
        if state.alone && self.is_undisturbed() {
            let why = format!(
                "{asked}, although nobody held the lock or had been asked for it; {}",
                self.who_holds()
            );
            self.answered_wrongly(why);
        }
    }

    fn answered_wrongly(&mut self, why: String) {
        self.wrong_answers += 1;
        self.wrong_answer.get_or_insert(why);
    }

    /// Who has the lock, or had it last.
    pub(super) fn who_holds(&self) -> String {
        for (place, worker_slot) in self.pool.workers.iter().enumerate() {
            for (number, slot) in worker_slot.slots.iter().enumerate() {
                let what = match slot.state {
                    State::Inside { .. } | State::Telling { .. } => "held it",
                    State::Releasing { .. } => "was giving it back",
                    _ => continue,
                };
                return format!(
                    "worker {place} slot {number} {what}, which had got it at {}",
                    milliseconds(slot.entered)
                );
            }
        }
        match self.last_release {
            Some((who, at)) => format!(
                "worker {} slot {} had given it back at {}",
                who.place,
                who.slot,
                milliseconds(at)
            ),
            None => "nobody had held it before".into(),
        }
    }
}

/// A wait that ends so much before its time is too short on every clock.
const TOO_EARLY: u64 = 200_000;
/// Later than a loaded machine delays anything.
const TOO_LATE: u64 = 5_000_000_000;

pub(super) fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.3} ms", nanoseconds as f64 / 1e6)
}

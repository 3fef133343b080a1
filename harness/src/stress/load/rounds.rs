//! Rounds between phases of free competition in which each request has exactly one correct answer.
//!
//! First, one slot holds the lock while the others time out repeatedly. Then, with no holder, the
//! slots try the lock one after the other. A refusal is never justified there, which reveals two
//! defects: a lock that answers busy although it is free, and a timed-out request that acquires the
//! lock later.

use super::Load;
use super::phase::{BETWEEN, Phase};
use crate::model::{EventKind, Scenario};
use crate::protocol::{Capability, Verb};
use crate::workers::pool::State;

/// Time for which one slot holds the lock while the others time out, in nanoseconds.
const HELD: u64 = 30_000_000;
/// Duration of the tries one slot at a time, in nanoseconds.
const ALONE: u64 = 25_000_000;
/// Longest timed wait while another slot holds the lock, in milliseconds.
const LONGEST: u64 = 8;
/// Timed wait for a free lock, in milliseconds.
const LONG_ENOUGH: u64 = 50;

impl Load<'_> {
    /// Returns `true` if the scenario injects no faults, so that every answer can be judged.
    pub(super) fn is_undisturbed(&self) -> bool {
        matches!(self.scenario, Scenario::Contend | Scenario::Threads) && !self.uncertain
    }

    /// Notes that an unknown process may hold the lock from now on.
    pub(super) fn note_uncertainty(&mut self) {
        self.uncertain = true;
        self.unpark_all(self.now());
    }

    /// Returns `true` if no other slot can hold the lock.
    pub(super) fn is_uncontended(&self, worker: usize, slot: usize) -> bool {
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
                        .filter(|(number, _)| (other, *number) != (worker, slot))
                        .all(|(_, other)| matches!(other.state, State::Idle { .. }))
                })
    }

    /// Returns `true` if idle slots may send requests by themselves.
    pub(super) fn may_ask(&self) -> bool {
        matches!(self.phase, Phase::Free { .. })
    }

    /// The time of the next check of the phase.
    pub(super) fn next_phase_check(&self, now: u64) -> u64 {
        match self.phase {
            Phase::Free { until } => until.max(now),
            _ => now + 1_000_000,
        }
    }

    /// Starts the next phase if it is time, and sends the requests of the current one.
    pub(super) fn advance_phase(&mut self, now: u64) {
        if !self.is_undisturbed() {
            self.phase = Phase::Free { until: u64::MAX };
            return;
        }
        match self.phase {
            Phase::Free { until } if until <= now => self.phase = Phase::Gathering,
            Phase::Free { .. } => {}
            Phase::Gathering if !self.all_outside() => {}
            Phase::Gathering => {
                let (worker, slot) = self.random_slot();
                match self.capabilities.has(Capability::Timeout) && self.slots_in_all() > 1 {
                    true => {
                        self.phase = Phase::Holding { worker, slot };
                        self.send_request_verb(worker, slot, Verb::Acquire);
                    }
                    false => self.start_solo_tries(now),
                }
            }
            Phase::Holding { worker, slot } => self.start_timed_waits(worker, slot, now),
            Phase::Solo { until, .. } if until <= now => {
                if self.all_outside() {
                    self.start_free_phase(now);
                }
            }
            Phase::Solo { until, next } => {
                if self.all_outside() {
                    self.try_solo(until, next);
                }
            }
        }
    }

    fn start_free_phase(&mut self, now: u64) {
        self.phase = Phase::Free {
            until: now + BETWEEN,
        };
        for slot in self.pool.slots_mut() {
            if let State::Idle { until } = &mut slot.state {
                *until = now;
            }
        }
    }

    fn start_timed_waits(&mut self, holder: usize, its: usize, now: u64) {
        let until = match self.pool.workers[holder].slots[its].state {
            State::Inside { until } => until,
            State::Idle { .. } if self.all_outside() => return self.start_solo_tries(now),
            _ => return,
        };
        for worker in 0..self.pool.workers.len() {
            for slot in 0..self.slots {
                let outside = matches!(
                    self.pool.workers[worker].slots[slot].state,
                    State::Idle { .. }
                );
                let time = 1 + self.random.below(LONGEST);
                if outside
                    && self.pool.workers[worker].process.is_some()
                    && now + time * 1_000_000 < until
                {
                    self.send_request_verb(worker, slot, Verb::AcquireTimeout(time));
                }
            }
        }
    }

    fn start_solo_tries(&mut self, now: u64) {
        self.phase = match self.capabilities.has(Capability::NoTry) {
            true => Phase::Free {
                until: now + BETWEEN,
            },
            false => Phase::Solo {
                until: now + ALONE,
                next: 0,
            },
        };
    }

    fn try_solo(&mut self, until: u64, next: usize) {
        let slots = self.slots_in_all();
        let (worker, slot) = (next % slots / self.slots, next % self.slots);
        let next = next + 1;
        self.phase = Phase::Solo { until, next };
        if self.pool.workers[worker].process.is_none() {
            return;
        }
        let timed = self.capabilities.has(Capability::Timeout) && self.random.once_in(5);
        let verb = match timed {
            true => Verb::AcquireTimeout(LONG_ENOUGH),
            false => Verb::Try,
        };
        self.send_request_verb(worker, slot, verb);
    }

    /// Time for which a slot holds the lock in this phase; `None` if that is random.
    pub(super) fn phase_hold(&self, worker: usize, slot: usize) -> Option<u64> {
        match self.phase {
            Phase::Holding {
                worker: holder,
                slot: its,
            } if (holder, its) == (worker, slot) => Some(HELD),
            Phase::Holding { .. } | Phase::Solo { .. } => Some(0),
            _ => None,
        }
    }

    fn random_slot(&mut self) -> (usize, usize) {
        let number = self.random.below(self.slots_in_all() as u64) as usize;
        (number / self.slots, number % self.slots)
    }

    fn slots_in_all(&self) -> usize {
        self.pool.workers.len() * self.slots
    }

    fn all_outside(&self) -> bool {
        self.pool.workers.iter().all(|worker_slot| {
            let mut slots = worker_slot.slots.iter();
            worker_slot.process.is_some()
                && slots.all(|slot| matches!(slot.state, State::Idle { .. }))
        })
    }

    /// Checks an attempt that ended without the lock, and notes a wrong answer.
    pub(super) fn check_refusal(&mut self, worker: usize, slot: usize, what: EventKind, now: u64) {
        let state = self.pool.workers[worker].slots[slot];
        let State::Asked { verb, at } = state.state else {
            return;
        };
        let answer = match what {
            EventKind::Busy => "busy",
            _ => "timeout",
        };
        let waited = now.saturating_sub(at);
        let asked = format!(
            "worker {worker} slot {slot} was asked `{verb}` at {} and answered `{answer}` {} later",
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
                    self.holder_description()
                );
                return self.note_wrong_answer(why);
            }
            if late > TOO_LATE && !state.stalled && self.is_undisturbed() {
                let why = format!(
                    "{asked}, {} too late; {}",
                    milliseconds(late),
                    self.holder_description()
                );
                return self.note_wrong_answer(why);
            }
        }
        if state.uncontended && self.is_undisturbed() {
            let why = format!(
                "{asked}, although no other slot held the lock or had requested it; {}",
                self.holder_description()
            );
            self.note_wrong_answer(why);
        }
    }

    fn note_wrong_answer(&mut self, why: String) {
        self.wrong_answers += 1;
        self.wrong_answer.get_or_insert(why);
    }

    /// Describes the current or the last holder.
    pub(super) fn holder_description(&self) -> String {
        for (worker, worker_slot) in self.pool.workers.iter().enumerate() {
            for (number, slot) in worker_slot.slots.iter().enumerate() {
                let what = match slot.state {
                    State::Inside { .. } | State::Executing { .. } => "held it",
                    State::Releasing { .. } => "was releasing it",
                    _ => continue,
                };
                return format!(
                    "worker {worker} slot {number} {what} (acquired at {})",
                    milliseconds(slot.entered)
                );
            }
        }
        match self.last_release {
            Some((id, at)) => format!(
                "worker {} slot {} had released it at {}",
                id.worker,
                id.slot,
                milliseconds(at)
            ),
            None => "no slot had held it before".into(),
        }
    }
}

/// A wait that ends this much before its time is too short on every clock, in nanoseconds.
const TOO_EARLY: u64 = 200_000;
/// No loaded machine delays an answer by more than this, in nanoseconds.
const TOO_LATE: u64 = 5_000_000_000;

pub(super) fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.3} ms", nanoseconds as f64 / 1e6)
}

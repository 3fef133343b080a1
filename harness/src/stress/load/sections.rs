//! Holds of the lock: their start, their faults, and the pause until the next request.

use super::super::choices;
use super::Load;
use super::responses::Request;
use super::service::Wait;
use crate::model::{EventKind, FaultKind};
use crate::protocol::Verb;
use crate::workers::pool::State;

/// Time that a holder stays after a fault, in nanoseconds, so that others may enter, even if they
/// poll.
const EXPOSURE: [u64; 3] = [2_000_000, 20_000_000, 120_000_000];
/// The same for locks with slow hand-overs. Not longer: a hold of 0.5 s may outlive a lease.
const SLOW_EXPOSURE: [u64; 3] = [20_000_000, 400_000_000, 450_000_000];
/// Median hand-over above which a lock is slow, in microseconds.
const SLOW_US: f64 = 60_000.0;
/// Time within which a worker must exit, in nanoseconds.
const EXIT_LIMIT: u64 = 5_000_000_000;
/// A slot that stays idle until another one acquires the lock.
const PARKED: u64 = u64::MAX;
/// Length of the periods in which slots alternately park and compete, in nanoseconds.
const HAND_OVER_PERIOD: u64 = 40_000_000;

impl Load<'_> {
    pub(super) fn enter(
        &mut self,
        worker: usize,
        slot: usize,
        request: Request,
        token: Option<u64>,
        now: u64,
    ) {
        let Request { verb, at: asked } = request;
        let id = self.slot_id(worker, slot);
        let state = self.pool.workers[worker].slots[slot];
        let again = self.judge.first().is_none();
        self.timeline.note(now, id, EventKind::Acquired);
        if self.judge.entered(id, verb, now, state.stalled) {
            self.timeline.mark_overlap(again);
        }
        if let Some(token) = token {
            self.judge.fenced(id, token, asked);
        }
        self.statistics.sections[worker * self.slots + slot] += 1;
        self.last_progress = now;
        self.idle = 0;
        if self.may_ask() && matches!(verb, Verb::Acquire | Verb::Read) {
            let wait = Wait {
                asked,
                time: now - asked,
                passed_over: self.statistics.all_sections() - state.sections_before - 1,
            };
            if self.is_undisturbed() && !self.is_by_machine(worker, slot, now - asked) {
                self.check_service(worker * self.slots + slot, wait);
            }
        }
        self.unpark_all(now);
        self.last_probe = None;
        if let Some(left) = self.left_at.take() {
            self.statistics.handed_over(now - left);
        }
        if matches!(verb, Verb::Acquire | Verb::Read) {
            self.statistics.waited(now - asked);
            self.check_starved(worker, slot, asked, state.sections_before);
            self.note_run_delays(worker, slot, now - asked);
        }
        let hold = match (self.phase_hold(worker, slot), self.random.once_in(8)) {
            (Some(hold), _) => hold,
            (None, true) => 0,
            (None, false) => self.random.below(self.options.hold.as_nanos() as u64 + 1),
        };
        let spare = self.pool.workers[worker].has_spare();
        let fault = choices::in_section(self.scenario, &self.pauses, spare, &mut self.random);
        let slot_state = &mut self.pool.workers[worker].slots[slot];
        slot_state.state = State::Inside { until: now + hold };
        slot_state.fault = fault;
        slot_state.entered = now;
        match fault {
            Some(FaultKind::Kill) => self.pool.workers[worker].killed_at = Some(now + hold),
            Some(FaultKind::Pause(time)) => self.stop(worker, time),
            Some(FaultKind::Unlink) => self.unlink(worker, slot, now),
            Some(FaultKind::Perform(verb)) => {
                self.pool.workers[worker].slots[slot].state = State::Executing { verb, at: now };
                self.send(worker, slot, verb);
            }
            _ if hold == 0 => self.release(worker, slot),
            _ => {}
        }
    }

    /// Keeps a slot in the critical section for a while, so that others may enter wrongly.
    pub(super) fn extend_hold(&mut self, worker: usize, slot: usize, now: u64) {
        let hand_over = self
            .statistics
            .hand_overs()
            .map_or(0.0, |times| times.p50_us);
        let exposure = match hand_over > SLOW_US {
            true => SLOW_EXPOSURE,
            false => EXPOSURE,
        };
        let until = now + self.random.choose(&exposure);
        self.pool.workers[worker].slots[slot].state = State::Inside { until };
    }

    pub(super) fn after_release(&mut self, worker: usize, slot: usize, now: u64) {
        match self.pool.workers[worker].slots[slot].fault.take() {
            Some(FaultKind::Remove) => {
                self.pool.workers[worker].slots[slot].state = State::Removing { at: now };
                self.send(worker, slot, Verb::Remove);
            }
            Some(FaultKind::Leave) => {
                self.statistics.fault("exits");
                let worker_slot = &mut self.pool.workers[worker];
                worker_slot.leaves_by = Some(now + EXIT_LIMIT);
                worker_slot.slots[slot].state = State::Idle { until: now };
                worker_slot
                    .process
                    .as_mut()
                    .into_iter()
                    .for_each(|process| process.end_input());
            }
            _ => self.schedule_request(worker, slot, now),
        }
    }

    /// Schedules the next request: at once, soon, or so late that the lock is free for a while.
    pub(super) fn schedule_request(&mut self, worker: usize, slot: usize, now: u64) {
        let hold = self.options.hold.as_nanos() as u64;
        // Rounds already leave the lock free at times, so this phase may compete more.
        let competition = if self.is_undisturbed() { 5 } else { 2 };
        let delay = match self.random.below(competition + 2) {
            chance if chance < competition => 0,
            chance if chance == competition => self.random.below(hold + 1),
            _ => self.random.below(10 * hold + 1),
        };
        // A slot that releases the lock may stay idle until another one has acquired it: its own
        // next request might wake a waiter that the release did not wake.
        let parks = self.is_undisturbed() && self.has_waiters() && self.is_hand_over_period(now);
        let delay = if parks { PARKED - now } else { delay };
        let worker_slot = &mut self.pool.workers[worker];
        // A worker that is to be killed during its release must not be killed during its next
        // request.
        let until = worker_slot.killed_at.map_or(now + delay, |at| at + 1);
        worker_slot.slots[slot].state = State::Idle { until };
    }

    /// Returns `true` in the periods in which holders leave the lock to waiters.
    fn is_hand_over_period(&self, now: u64) -> bool {
        now / HAND_OVER_PERIOD % 2 == 1
    }

    pub(super) fn has_waiters(&self) -> bool {
        let mut slots = self.pool.slots();
        slots.any(|slot| slot.state.waits())
    }

    pub(super) fn unpark_all(&mut self, now: u64) {
        for slot in self.pool.slots_mut() {
            if slot.state == (State::Idle { until: PARKED }) {
                slot.state = State::Idle { until: now };
            }
        }
    }

    pub(super) fn back_off(&mut self, worker: usize, slot: usize, now: u64) {
        let until = now + 1_000_000 + self.random.below(4_000_000);
        self.pool.workers[worker].slots[slot].state = State::Idle { until };
    }
}

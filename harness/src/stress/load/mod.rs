//! The load of one scenario: a loop that reads responses of workers, judges their holds and sends
//! the next requests.
//!
//! This file contains the loop. `responses` handles the lines of workers, `sections` the holds,
//! `endings` workers that end, `inject` the faults, `rounds` the rounds with one correct answer,
//! `stuck` waiters that never get the lock, `service` the distribution of waits, `machine` waits
//! that the machine caused, and `outcome` the result.

mod endings;
mod inject;
mod machine;
mod outcome;
mod phase;
mod responses;
mod rounds;
mod sections;
mod service;
mod stuck;

pub use outcome::again;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::choices::{self, Pauses};
use super::judge::{Judge, LeaseRule, SlotId, nanoseconds};
use super::plan::Options;
use super::statistics::Statistics;
use super::timeline::Timeline;
use crate::model::{EventKind, FaultKind, Outcome, Random, Scenario, Verdict};
use crate::protocol::{Capabilities, Verb};
use crate::workers::pool::{State, WorkerPool};

/// A delay of this process, in nanoseconds, after which holds may have lasted longer than measured;
/// less for a short lease.
const STALL: u64 = 250_000_000;

/// Progress of a running scenario.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Time since the scenario began.
    pub elapsed: Duration,
    /// Number of sections entered.
    pub sections: u64,
    /// Number of overlaps.
    pub overlaps: u64,
}

/// The load of one scenario.
pub struct Load<'a> {
    scenario: Scenario,
    options: &'a Options,
    capabilities: &'a Capabilities,
    interrupted: &'a AtomicBool,
    pool: WorkerPool<'a>,
    random: Random,
    pauses: Pauses,
    judge: Judge,
    statistics: Statistics,
    timeline: Timeline,
    began: Instant,
    slots: usize,
    last_progress: u64,
    /// Time of the last release while other slots waited.
    left_at: Option<u64>,
    phase: phase::Phase,
    service: service::Services,
    run_delays: machine::RunDelays,
    /// The slot that released the lock last, and when its answer was read.
    last_release: Option<(SlotId, u64)>,
    /// `true` if an unknown process may hold the lock.
    uncertain: bool,
    /// The first wrong answer, as a sentence.
    wrong_answer: Option<String>,
    wrong_answers: u64,
    /// Time for which the lock has been free although a slot waits, in nanoseconds during which
    /// this process ran.
    idle: u64,
    checked_at: u64,
    /// Time of the last probe with a new worker.
    last_probe: Option<u64>,
    failures: u32,
    /// The verdict that ends the scenario early, with its reason.
    ended: Option<(Verdict, String)>,
}

impl<'a> Load<'a> {
    pub fn new(
        scenario: Scenario,
        options: &'a Options,
        capabilities: &'a Capabilities,
        interrupted: &'a AtomicBool,
        pool: WorkerPool<'a>,
    ) -> Self {
        let slots = pool.spawner.threads;
        let rule = LeaseRule {
            lease: options.lease.map(nanoseconds),
        };
        Load {
            scenario,
            options,
            capabilities,
            interrupted,
            random: Random::new(pool.spawner.seed),
            pauses: Pauses::new(options.lease),
            judge: Judge::new(rule),
            statistics: Statistics::new(pool.workers.len() * slots),
            timeline: Timeline::default(),
            began: Instant::now(),
            slots,
            last_progress: 0,
            left_at: None,
            phase: phase::Phase::first(),
            service: service::Services::new(pool.workers.len() * slots),
            run_delays: machine::RunDelays::new(pool.workers.len() * slots),
            last_release: None,
            uncertain: false,
            wrong_answer: None,
            wrong_answers: 0,
            idle: 0,
            checked_at: 0,
            last_probe: None,
            failures: 0,
            ended: None,
            pool,
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn slot_id(&self, worker: usize, slot: usize) -> SlotId {
        SlotId {
            worker,
            slot,
            life: self.pool.workers[worker].life,
        }
    }

    /// Runs the load for this time, then lets holders release and waiters finish.
    pub fn run(mut self, time: Duration, progress: &mut dyn FnMut(Progress)) -> Outcome {
        let end = time.as_nanos() as u64;
        let lease = self.options.lease.map_or(u64::MAX, nanoseconds);
        let (mut next_progress, stall) = (0, STALL.min(lease / 4));
        loop {
            let now = self.now();
            let draining = now >= end;
            if self.interrupted.load(Ordering::Relaxed) || self.ended.is_some() {
                break;
            }
            self.perform_due_actions(now, draining);
            if !draining {
                self.advance_phase(now);
            }
            if let Err(error) = self.pool.replenish(now) {
                self.end(Verdict::NotKnown, error.to_string());
            }
            if draining && self.all_idle() {
                break;
            }
            if now >= next_progress {
                next_progress = now + 100_000_000;
                self.pool.reap_orphans();
                progress(Progress {
                    elapsed: self.began.elapsed(),
                    sections: self.statistics.all_sections(),
                    overlaps: self.judge.races() + self.judge.expiries(),
                });
            }
            let wake = self.next_time(now, end).min(now + 100_000_000);
            let ready = self.pool.wait(Duration::from_nanos(wake - now));
            if self.now().saturating_sub(wake) > stall {
                self.note_stall();
            }
            for worker in ready {
                self.read_responses(worker);
            }
            self.check_stuck();
        }
        self.finish()
    }

    fn end(&mut self, verdict: Verdict, why: impl Into<String>) {
        self.ended.get_or_insert((verdict, why.into()));
    }

    fn note_stall(&mut self) {
        self.judge.paused(None);
        self.idle = 0;
        self.service.reset();
        self.statistics
            .note("the machine stalled for a while: some holds were longer than requested");
        for slot in self.pool.slots_mut() {
            slot.stalled = true;
        }
    }

    fn all_idle(&self) -> bool {
        self.pool.workers.iter().all(|worker_slot| {
            worker_slot.process.is_none()
                || worker_slot
                    .slots
                    .iter()
                    .all(|slot| matches!(slot.state, State::Idle { .. }))
        })
    }

    fn next_time(&self, now: u64, end: u64) -> u64 {
        let mut next = u64::MAX;
        for worker_slot in &self.pool.workers {
            if worker_slot.process.is_none() {
                continue;
            }
            for time in [
                worker_slot.stopped_until,
                worker_slot.killed_at,
                worker_slot.leaves_by,
            ]
            .into_iter()
            .flatten()
            {
                next = next.min(time);
            }
            if worker_slot.stopped_until.is_some() {
                continue;
            }
            for slot in &worker_slot.slots {
                match slot.state {
                    State::Idle { until }
                        if until < end && worker_slot.leaves_by.is_none() && self.may_ask() =>
                    {
                        next = next.min(until);
                    }
                    State::Inside { until } => next = next.min(until),
                    _ => {}
                }
            }
        }
        if now < end {
            next = next.min(end).min(self.next_phase_check(now));
        }
        next.max(now)
    }

    fn perform_due_actions(&mut self, now: u64, draining: bool) {
        for worker in 0..self.pool.workers.len() {
            let worker_slot = &mut self.pool.workers[worker];
            if worker_slot.process.is_none() {
                continue;
            }
            if worker_slot.killed_at.is_some_and(|at| at <= now) {
                self.kill(worker);
                continue;
            }
            if worker_slot.stopped_until.is_some_and(|until| until <= now) {
                self.resume(worker);
            }
            let worker_slot = &mut self.pool.workers[worker];
            if worker_slot.leaves_by.is_some_and(|by| by <= now) {
                self.statistics.note(
                    "a worker was still running 5 s after the end of its input, and was killed",
                );
                self.kill(worker);
                continue;
            }
            if worker_slot.stopped_until.is_some() {
                continue;
            }
            for slot in 0..self.slots {
                match self.pool.workers[worker].slots[slot].state {
                    State::Idle { until } if until <= now && !draining && self.may_ask() => {
                        self.send_request(worker, slot);
                    }
                    State::Inside { until } if until <= now => self.release(worker, slot),
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, worker: usize, slot: usize, verb: Verb) {
        let worker_slot = &mut self.pool.workers[worker];
        if let Some(Err(error)) = worker_slot
            .process
            .as_mut()
            .map(|process| process.send(slot, verb))
            && error.kind() == std::io::ErrorKind::WouldBlock
        {
            self.replace_untrusted(worker, "it does not read its standard input");
        }
        // Any other error means that the worker is gone; the loop will read the end of its output.
    }

    fn send_request(&mut self, worker: usize, slot: usize) {
        if self.pool.workers[worker].leaves_by.is_some() {
            return;
        }
        let verb = choices::request_verb(self.capabilities, &mut self.random);
        self.send_request_verb(worker, slot, verb);
    }

    fn send_request_verb(&mut self, worker: usize, slot: usize, verb: Verb) {
        for other in self.pool.slots_mut() {
            other.uncontended = false;
        }
        let uncontended = self.is_uncontended(worker, slot);
        let (now, sections_before) = (self.now(), self.statistics.all_sections());
        let state = &mut self.pool.workers[worker].slots[slot];
        state.state = State::Asked { verb, at: now };
        state.stalled = false;
        state.uncontended = uncontended;
        state.fault = None;
        state.sections_before = sections_before;
        self.timeline
            .note(now, self.slot_id(worker, slot), EventKind::Asked);
        self.send(worker, slot, verb);
    }

    /// Notes the time of a release, the start of a hand-over if other slots wait.
    fn note_release(&mut self, now: u64) {
        self.left_at = self.has_waiters().then_some(now);
    }

    fn release(&mut self, worker: usize, slot: usize) {
        let now = self.now();
        self.judge.left(self.slot_id(worker, slot), now);
        self.timeline
            .note(now, self.slot_id(worker, slot), EventKind::Releasing);
        self.note_release(now);
        let state = &mut self.pool.workers[worker].slots[slot];
        state.state = State::Releasing { at: now };
        let fault = state.fault;
        self.send(worker, slot, Verb::Release);
        if let Some(FaultKind::KillReleasing(after)) = fault {
            self.pool.workers[worker].killed_at = Some(now + after.as_nanos() as u64);
        }
    }
}

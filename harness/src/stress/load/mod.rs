//! The load of one scenario: one loop that reads what workers say, judges it, and tells them what to do next.
//!
//! Here is the loop; what workers say is in `hear`, what is done to them in `deeds`, what they are asked when the load stands back in `rounds`, who
//! waits in vain in `stuck`, how the lock serves each of them in `service`, and what it all comes to in `outcome`.

mod inject;

mod outcome;
mod phase;
mod responses;
mod rounds;
mod service;
mod stuck;

pub use outcome::again;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::model::{EventKind, Outcome, Verdict};

use super::choices::{self, Pauses};
use super::judge::{Judge, LeaseRule, Who, nanoseconds};
use super::plan::Options;
use super::statistics::Statistics;
use super::timeline::Timeline;
use crate::model::Random;
use crate::model::{FaultKind, Scenario};
use crate::protocol::{Capabilities, Verb};
use crate::workers::pool::{State, WorkerPool};

/// If we are woken so much too late, or by a quarter of a shorter lease, the machine stood still, and holds lasted longer than we know.
const STALL: u64 = 250_000_000;

/// What is told while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Since the scenario began.
    pub elapsed: Duration,
    /// Sections entered.
    pub sections: u64,
    /// Pairs that overlapped.
    pub overlaps: u64,
}

/// The load of one scenario.
pub struct Load<'a> {
    scenario: Scenario,
    options: &'a Options,
    can: &'a Capabilities,
    interrupted: &'a AtomicBool,
    pool: WorkerPool<'a>,
    random: Random,
    pauses: Pauses,
    judge: Judge,
    tally: Statistics,
    timeline: Timeline,
    began: Instant,
    slots: usize,
    last_progress: u64,
    /// When the last one left while others waited.
    left_at: Option<u64>,
    phase: phase::Phase,
    service: service::Services,
    /// Who gave the lock back last, and when the answer to that was read.
    last_release: Option<(Who, u64)>,
    /// Somebody may hold the lock of whom we do not know.
    uncertain: bool,
    /// The first answer that the lock should not have given, in words.
    wrong_answer: Option<String>,
    wrong_answers: u64,
    /// For how long nobody has got the lock though it was free and waited for, counted while we were awake.
    idle: u64,
    looked_at: u64,
    /// When a fresh worker was asked whether the lock is free.
    asked_freely: Option<u64>,
    failures: u32,
    /// A sentence that ends the scenario.
    ended: Option<(Verdict, String)>,
}

impl<'a> Load<'a> {
    pub fn new(
        scenario: Scenario,
        options: &'a Options,
        can: &'a Capabilities,
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
            can,
            interrupted,
            random: Random::new(pool.spawner.seed),
            pauses: Pauses::new(options.lease),
            judge: Judge::new(rule),
            tally: Statistics::new(pool.workers.len() * slots),
            timeline: Timeline::default(),
            began: Instant::now(),
            slots,
            last_progress: 0,
            left_at: None,
            phase: phase::Phase::first(),
            service: service::Services::new(pool.workers.len() * slots),
            last_release: None,
            uncertain: false,
            wrong_answer: None,
            wrong_answers: 0,
            idle: 0,
            looked_at: 0,
            asked_freely: None,
            failures: 0,
            ended: None,
            pool,
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn who(&self, place: usize, slot: usize) -> Who {
        Who {
            place,
            slot,
            life: self.pool.workers[place].life,
        }
    }

    /// Runs for so long, then lets those that are in leave and those that wait have their turn.
    pub fn run(mut self, time: Duration, progress: &mut dyn FnMut(Progress)) -> Outcome {
        let end = time.as_nanos() as u64;
        let lease = self.options.lease.map_or(u64::MAX, nanoseconds);
        let (mut told, stall) = (0, STALL.min(lease / 4));
        loop {
            let now = self.now();
            let draining = now >= end;
            if self.interrupted.load(Ordering::Relaxed) || self.ended.is_some() {
                break;
            }
            self.act_on_time(now, draining);
            if !draining {
                self.go_through_phases(now);
            }
            if let Err(why) = self.pool.replenish(now) {
                self.end(Verdict::NotKnown, why);
            }
            if draining && self.all_are_done() {
                break;
            }
            if now >= told {
                told = now + 100_000_000;
                self.pool.reap_orphans();
                progress(Progress {
                    elapsed: self.began.elapsed(),
                    sections: self.tally.all_sections(),
                    overlaps: self.judge.races() + self.judge.expiries(),
                });
            }
            let wake = self.next_time(now, end).min(now + 100_000_000);
            let ready = self.pool.wait(Duration::from_nanos(wake - now));
            if self.now().saturating_sub(wake) > stall {
                self.note_stall();
            }
            for place in ready {
                self.listen(place);
            }
            self.look_for_the_stuck();
        }
        self.finish()
    }

    fn end(&mut self, word: Verdict, why: impl Into<String>) {
        self.ended.get_or_insert((word, why.into()));
    }

    fn note_stall(&mut self) {
        self.judge.paused(None);
        self.idle = 0;
        self.service.begin_anew();
        self.tally
            .note("the machine stood still for a while: longer holds than were asked for");
        for slot in self
            .pool
            .workers
            .iter_mut()
            .flat_map(|worker_slot| &mut worker_slot.slots)
        {
            slot.stalled = true;
        }
    }

    fn all_are_done(&self) -> bool {
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
            next = next.min(end).min(self.next_of_phase(now));
        }
        next.max(now)
    }

    fn act_on_time(&mut self, now: u64, draining: bool) {
        for place in 0..self.pool.workers.len() {
            let worker_slot = &mut self.pool.workers[place];
            if worker_slot.process.is_none() {
                continue;
            }
            if worker_slot.killed_at.is_some_and(|at| at <= now) {
                self.kill(place);
                continue;
            }
            if worker_slot.stopped_until.is_some_and(|until| until <= now) {
                self.resume(place);
            }
            let worker_slot = &mut self.pool.workers[place];
            if worker_slot.leaves_by.is_some_and(|by| by <= now) {
                self.tally
                    .note("a worker had not left 5 s after the end of its input, and was killed");
                self.kill(place);
                continue;
            }
            if worker_slot.stopped_until.is_some() {
                continue;
            }
            for slot in 0..self.slots {
                match self.pool.workers[place].slots[slot].state {
                    State::Idle { until } if until <= now && !draining && self.may_ask() => {
                        self.ask(place, slot);
                    }
                    State::Inside { until } if until <= now => self.leave_section(place, slot),
                    _ => {}
                }
            }
        }
    }

    fn tell(&mut self, place: usize, slot: usize, verb: Verb) {
        let worker_slot = &mut self.pool.workers[place];
        if let Some(Err(error)) = worker_slot
            .process
            .as_mut()
            .map(|process| process.tell(slot, verb))
            && error.kind() == std::io::ErrorKind::WouldBlock
        {
            self.distrust(place, "it does not read its standard input");
        }
        // Another error means that the worker is gone, which is seen when its end is.
    }

    fn ask(&mut self, place: usize, slot: usize) {
        if self.pool.workers[place].leaves_by.is_some() {
            return;
        }
        let verb = choices::ask(self.can, &mut self.random);
        self.ask_with(place, slot, verb);
    }

    fn ask_with(&mut self, place: usize, slot: usize, verb: Verb) {
        for other in self
            .pool
            .workers
            .iter_mut()
            .flat_map(|worker_slot| &mut worker_slot.slots)
        {
            other.alone = false;
        }
        let alone = self.is_alone(place, slot);
        let (now, seen) = (self.now(), self.tally.all_sections());
        let state = &mut self.pool.workers[place].slots[slot];
        state.state = State::Asked { verb, at: now };
        state.stalled = false;
        state.alone = alone;
        state.act = None;
        state.seen = seen;
        self.timeline
            .note(now, self.who(place, slot), EventKind::Asked);
        self.tell(place, slot, verb);
    }

    /// Somebody leaves: if others wait, the time until one of them is in is a hand-over.
    fn note_leaving(&mut self, now: u64) {
        let slots = || {
            self.pool
                .workers
                .iter()
                .flat_map(|worker_slot| &worker_slot.slots)
        };
        self.left_at = slots().any(|slot| slot.state.waits()).then_some(now);
    }

    fn leave_section(&mut self, place: usize, slot: usize) {
        let now = self.now();
        self.judge.left(self.who(place, slot), now);
        self.timeline
            .note(now, self.who(place, slot), EventKind::Releasing);
        self.note_leaving(now);
        let state = &mut self.pool.workers[place].slots[slot];
        state.state = State::Releasing { at: now };
        let act = state.act;
        self.tell(place, slot, Verb::Release);
        if let Some(FaultKind::KillReleasing(after)) = act {
            self.pool.workers[place].killed_at = Some(now + after.as_nanos() as u64);
        }
    }
}

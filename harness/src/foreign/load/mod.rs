//! The load of one scenario: one loop that reads what workers say, judges it, and tells them what to do next.
//!
//! Here is the loop; what workers say is in `hear`, what is done to them in `deeds`, what they are asked when the load stands back in `rounds`, who
//! waits in vain in `stuck`, how the lock serves each of them in `service`, and what it all comes to in `outcome`.

mod deeds;
mod hear;
mod outcome;
mod rounds;
mod service;
mod stuck;

pub use outcome::again;

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::report::{Happening, Outcome, Word};

use super::crew::{Crew, State};
use super::judge::{Judge, LeaseRule, Who, nanoseconds};
use super::plan::Options;
use super::protocol::{Capabilities, Verb};
use super::scenario::{Act, Pauses, Scenario};
use super::tally::Tally;
use super::timeline::Timeline;
use crate::random::Random;

/// If we are woken so much too late, or by a quarter of a shorter lease, the machine stood still, and holds lasted longer than we know.
const STALL: u64 = 250_000_000;

/// What is told while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Sofar {
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
    crew: Crew<'a>,
    random: Random,
    pauses: Pauses,
    judge: Judge,
    tally: Tally,
    timeline: Timeline,
    began: Instant,
    slots: usize,
    last_progress: u64,
    /// When the last one left while others waited.
    left_at: Option<u64>,
    phase: rounds::Phase,
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
    ended: Option<(Word, String)>,
}

impl<'a> Load<'a> {
    pub fn new(
        scenario: Scenario,
        options: &'a Options,
        can: &'a Capabilities,
        interrupted: &'a AtomicBool,
        crew: Crew<'a>,
    ) -> Self {
        let slots = crew.recruiter.threads;
        let rule = LeaseRule {
            lease: options.lease.map(nanoseconds),
        };
        Load {
            scenario,
            options,
            can,
            interrupted,
            random: Random::new(crew.recruiter.seed),
            pauses: Pauses::new(options.lease),
            judge: Judge::new(rule),
            tally: Tally::new(crew.posts.len() * slots),
            timeline: Timeline::default(),
            began: Instant::now(),
            slots,
            last_progress: 0,
            left_at: None,
            phase: rounds::Phase::first(),
            service: service::Services::new(crew.posts.len() * slots),
            last_release: None,
            uncertain: false,
            wrong_answer: None,
            wrong_answers: 0,
            idle: 0,
            looked_at: 0,
            asked_freely: None,
            failures: 0,
            ended: None,
            crew,
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    fn who(&self, place: usize, slot: usize) -> Who {
        Who {
            place,
            slot,
            life: self.crew.posts[place].life,
        }
    }

    /// Runs for so long, then lets those that are in leave and those that wait have their turn.
    pub fn run(mut self, time: Duration, progress: &mut dyn FnMut(Sofar)) -> Outcome {
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
            if let Err(why) = self.crew.replenish(now) {
                self.end(Word::NotKnown, why);
            }
            if draining && self.all_are_done() {
                break;
            }
            if now >= told {
                told = now + 100_000_000;
                self.crew.reap_orphans();
                progress(Sofar {
                    elapsed: self.began.elapsed(),
                    sections: self.tally.all_sections(),
                    overlaps: self.judge.races() + self.judge.expiries(),
                });
            }
            let wake = self.next_time(now, end).min(now + 100_000_000);
            let ready = self.crew.wait(Duration::from_nanos(wake - now));
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

    fn end(&mut self, word: Word, why: impl Into<String>) {
        self.ended.get_or_insert((word, why.into()));
    }

    fn note_stall(&mut self) {
        self.judge.paused(None);
        self.idle = 0;
        self.service.begin_anew();
        self.tally
            .note("the machine stood still for a while: longer holds than were asked for");
        for slot in self.crew.posts.iter_mut().flat_map(|post| &mut post.slots) {
            slot.stalled = true;
        }
    }

    fn all_are_done(&self) -> bool {
        self.crew.posts.iter().all(|post| {
            post.process.is_none()
                || post
                    .slots
                    .iter()
                    .all(|slot| matches!(slot.state, State::Idle { .. }))
        })
    }

    fn next_time(&self, now: u64, end: u64) -> u64 {
        let mut next = u64::MAX;
        for post in &self.crew.posts {
            if post.process.is_none() {
                continue;
            }
            for time in [post.stopped_until, post.killed_at, post.leaves_by]
                .into_iter()
                .flatten()
            {
                next = next.min(time);
            }
            if post.stopped_until.is_some() {
                continue;
            }
            for slot in &post.slots {
                match slot.state {
                    State::Idle { until }
                        if until < end && post.leaves_by.is_none() && self.may_ask() =>
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
        for place in 0..self.crew.posts.len() {
            let post = &mut self.crew.posts[place];
            if post.process.is_none() {
                continue;
            }
            if post.killed_at.is_some_and(|at| at <= now) {
                self.kill(place);
                continue;
            }
            if post.stopped_until.is_some_and(|until| until <= now) {
                self.resume(place);
            }
            let post = &mut self.crew.posts[place];
            if post.leaves_by.is_some_and(|by| by <= now) {
                self.tally
                    .note("a worker had not left 5 s after the end of its input, and was killed");
                self.kill(place);
                continue;
            }
            if post.stopped_until.is_some() {
                continue;
            }
            for slot in 0..self.slots {
                match self.crew.posts[place].slots[slot].state {
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
        let post = &mut self.crew.posts[place];
        if let Some(Err(error)) = post
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
        if self.crew.posts[place].leaves_by.is_some() {
            return;
        }
        let verb = self.scenario.ask(self.can, &mut self.random);
        self.ask_with(place, slot, verb);
    }

    fn ask_with(&mut self, place: usize, slot: usize, verb: Verb) {
        for other in self.crew.posts.iter_mut().flat_map(|post| &mut post.slots) {
            other.alone = false;
        }
        let alone = self.is_alone(place, slot);
        let (now, seen) = (self.now(), self.tally.all_sections());
        let state = &mut self.crew.posts[place].slots[slot];
        state.state = State::Asked { verb, at: now };
        state.stalled = false;
        state.alone = alone;
        state.act = None;
        state.seen = seen;
        self.timeline
            .note(now, self.who(place, slot), Happening::Asked);
        self.tell(place, slot, verb);
    }

    /// Somebody leaves: if others wait, the time until one of them is in is a hand-over.
    fn note_leaving(&mut self, now: u64) {
        let slots = || self.crew.posts.iter().flat_map(|post| &post.slots);
        self.left_at = slots().any(|slot| slot.state.waits()).then_some(now);
    }

    fn leave_section(&mut self, place: usize, slot: usize) {
        let now = self.now();
        self.judge.left(self.who(place, slot), now);
        self.timeline
            .note(now, self.who(place, slot), Happening::Releasing);
        self.note_leaving(now);
        let state = &mut self.crew.posts[place].slots[slot];
        state.state = State::Releasing { at: now };
        let act = state.act;
        self.tell(place, slot, Verb::Release);
        if let Some(Act::KillReleasing(after)) = act {
            self.crew.posts[place].killed_at = Some(now + after.as_nanos() as u64);
        }
    }
}

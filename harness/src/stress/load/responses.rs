//! What workers say, and what follows from it.

use std::time::{Duration, Instant};

use crate::model::{EventKind, Verdict};

use super::super::choices;
use super::Load;
use super::service::Wait;
use crate::model::FaultKind;
use crate::protocol::{Answer, Line, Verb, excerpt};
use crate::workers::pool::{State, in_background, stderr_of, wait_for};
use crate::workers::worker::describe;

/// After what was done in the section, others get so long to come in: also those that poll.
const EXPOSURE: [u64; 3] = [2_000_000, 20_000_000, 120_000_000];
/// And so long if they ask again so seldom that a hand-over takes more than this; not longer, since a hold of 0.5 s may have outlived a lease.
const EXPOSURE_OF_THE_SLOW: [u64; 3] = [20_000_000, 400_000_000, 450_000_000];
const SLOW_US: f64 = 60_000.0;
/// So many workers may fail by themselves before the scenario is over.
const FAILURES: u32 = 50;
/// So long a worker has to leave when it was told to.
const LEAVE: u64 = 5_000_000_000;
/// So many lines that are not of the protocol may come between two that are.
const LINES_OF_GARBAGE: u64 = 10_000;

/// A slot that is outside until another has got the lock.
const PARKED: u64 = u64::MAX;
const HANDS_OVER_FOR: u64 = 40_000_000;

impl Load<'_> {
    pub(super) fn listen(&mut self, place: usize) {
        let mut lines = Vec::new();
        let Some(process) = &mut self.pool.workers[place].process else {
            return;
        };
        let open = process.lines(&mut lines);
        let life = self.pool.workers[place].life;
        for line in lines {
            match line {
                Line::Answer(slot, answer) if slot < self.slots => {
                    self.pool.workers[place].garbage = 0;
                    self.hear(place, slot, answer);
                }
                Line::Answer(slot, answer) => {
                    self.distrust(
                        place,
                        &format!("it said `{slot} {answer}`, and there is no slot {slot}"),
                    );
                }
                Line::Ready(..) => self.distrust(place, "it said `ready` once more"),
                Line::Garbage(text) => {
                    self.pool.workers[place].garbage += 1;
                    let line = excerpt(&text);
                    self.tally
                        .note(format!("a line that is not of the protocol: {line}"));
                    if self.pool.workers[place].garbage > LINES_OF_GARBAGE {
                        self.distrust(
                            place,
                            "it wrote 10,000 lines that are not of the protocol, and nothing else",
                        );
                    }
                }
            }
            if self.pool.workers[place].life != life || self.pool.workers[place].process.is_none() {
                return;
            }
        }
        if !open {
            self.has_ended(place);
        }
    }

    /// Its output is closed: it has ended, or will hardly do any work.
    pub(super) fn has_ended(&mut self, place: usize) {
        let worker_slot = &mut self.pool.workers[place];
        let leaving = worker_slot.leaves_by.is_some();
        let Some(process) = &mut worker_slot.process else {
            return;
        };
        let deadline = Instant::now() + Duration::from_millis(200);
        while process.ended().is_none() && !leaving && Instant::now() < deadline {
            wait_for(process, Duration::from_millis(5));
        }
        if leaving && process.ended().is_none() {
            return; // it is about to: its end is heard of, and if it takes too long, it is killed
        }
        let (status, errors) = (process.ended(), stderr_of(process));
        let stays = status.map_or("", |status| in_background(process, status));
        match status {
            Some(status) if leaving && status.success() => {}
            Some(status) if leaving => {
                self.tally.error(format!(
                    "a worker that was to leave {}{errors}",
                    describe(status)
                ));
            }
            Some(status) => {
                let doing = self.doing(place);
                self.tally.error(format!(
                    "a worker {} while it {doing}{stays}{errors}",
                    describe(status)
                ));
                self.failures += 1;
            }
            None => {
                self.tally.error(format!(
                    "a worker closed its standard output, and goes on without{errors}"
                ));
                self.failures += 1;
            }
        }
        let now = self.now();
        for slot in 0..self.slots {
            self.judge.void(self.who(place, slot));
            let what = if leaving {
                EventKind::Left
            } else {
                EventKind::Died
            };
            self.timeline.note(now, self.who(place, slot), what);
        }
        self.vacate(place);
    }

    pub(super) fn doing(&self, place: usize) -> &'static str {
        let states = self.pool.workers[place].slots.iter().map(|slot| slot.state);
        states
            .filter_map(|state| match state {
                State::Idle { .. } => None,
                State::Asked { .. } => Some("was asked to acquire"),
                State::Inside { .. } | State::Telling { .. } => Some("held the lock"),
                State::Releasing { .. } => Some("was to release"),
                State::Removing { .. } => Some("was to remove the lock"),
            })
            .next()
            .unwrap_or("had nothing to do")
    }

    pub(super) fn vacate(&mut self, place: usize) {
        self.become_uncertain();
        let worker_slot = &mut self.pool.workers[place];
        worker_slot.process = None;
        worker_slot.stopped_until = None;
        worker_slot.killed_at = None;
        worker_slot.leaves_by = None;
        worker_slot.garbage = 0;
        if self.failures >= FAILURES {
            let why = format!("{FAILURES} workers failed by themselves");
            match self.tally.all_sections() {
                0 => self.end(Verdict::NotKnown, why),
                _ => self.end(Verdict::Errors, why),
            }
        }
    }

    /// What it says cannot be relied on: none of its holds count, and another takes its place.
    pub(super) fn distrust(&mut self, place: usize, why: &str) {
        if self.pool.workers[place].process.is_none() {
            return;
        }
        self.tally.error(format!("a worker was replaced: {why}"));
        self.failures += 1;
        for slot in 0..self.slots {
            self.judge.void(self.who(place, slot));
        }
        self.vacate(place);
    }

    pub(super) fn hear(&mut self, place: usize, slot: usize, answer: Answer) {
        let now = self.now();
        let who = self.who(place, slot);
        let state = self.pool.workers[place].slots[slot].state;
        match (state, answer) {
            (State::Asked { verb, at }, Answer::Acquired) => self.enter(place, slot, verb, at, now),
            (
                State::Asked {
                    verb: Verb::Try | Verb::TryRead,
                    ..
                },
                Answer::Busy,
            ) => {
                self.tally.busy += 1;
                self.judge_refusal(place, slot, EventKind::Busy, now);
                self.timeline.note(now, who, EventKind::Busy);
                self.rest(place, slot, now);
            }
            (
                State::Asked {
                    verb: Verb::AcquireTimeout(_),
                    ..
                },
                Answer::TimedOut | Answer::Busy,
            ) => {
                self.tally.timed_out += 1;
                self.judge_refusal(place, slot, EventKind::TimedOut, now);
                self.timeline.note(now, who, EventKind::TimedOut);
                self.rest(place, slot, now);
            }
            (
                State::Asked { verb, .. },
                answer @ (Answer::Unsupported | Answer::Busy | Answer::TimedOut),
            ) => {
                let advice = match verb {
                    Verb::Acquire | Verb::Read => {
                        ": it has to wait for the lock, however long that takes"
                    }
                    _ => "",
                };
                self.tally
                    .error(format!("`{verb}` was answered with `{answer}`{advice}"));
                self.back_off(place, slot, now);
            }
            (State::Asked { verb, .. }, Answer::Error(text)) => {
                self.become_uncertain();
                self.tally.error(format!("{verb}: {text}"));
                self.timeline.note(now, who, EventKind::Error);
                self.back_off(place, slot, now);
            }
            (State::Telling { verb, .. }, Answer::Done) => {
                let (fault, what) = told(verb);
                self.tally.fault(fault);
                self.timeline.note(now, who, what);
                self.expose(place, slot, now);
            }
            (State::Telling { verb, .. }, Answer::Unsupported) => {
                self.tally.note(format!("{verb} is not supported at times"));
                self.expose(place, slot, now);
            }
            (State::Telling { verb, .. }, Answer::Error(text)) => {
                self.tally.error(format!("{verb}: {text}"));
                self.expose(place, slot, now);
            }
            (State::Releasing { .. }, answer @ (Answer::Released | Answer::Error(_))) => {
                let lost = self.judge.may_have_lost(who);
                self.judge.proved(who);
                let what = match &answer {
                    Answer::Error(_) => EventKind::Error,
                    _ => EventKind::Released,
                };
                match answer {
                    Answer::Error(text) if lost => {
                        self.tally.lost += 1;
                        self.tally
                            .note(format!("release failed after the lease: {text}"));
                    }
                    Answer::Error(text) => self.tally.error(format!("release: {text}")),
                    _ => {}
                }
                self.timeline.note(now, who, what);
                if what == EventKind::Error {
                    self.become_uncertain();
                }
                self.last_release = Some((who, now));
                self.after_release(place, slot, now);
            }
            (State::Removing { .. }, Answer::Removed) => {
                self.tally.fault("removals");
                self.timeline.note(now, who, EventKind::Removed);
                self.rest(place, slot, now);
            }
            (State::Removing { .. }, Answer::Error(text)) => {
                self.tally.error(format!("remove: {text}"));
                self.rest(place, slot, now);
            }
            (State::Removing { .. }, Answer::Unsupported) => self.rest(place, slot, now),
            (
                State::Inside { .. } | State::Telling { .. } | State::Releasing { .. },
                Answer::Lost(text),
            ) => {
                self.tally.lost += 1;
                self.become_uncertain();
                self.tally.note(format!(
                    "a library told its holder that the lock was lost: {text}"
                ));
                self.judge.lost(who, now);
                match state {
                    State::Releasing { .. } => self.after_release(place, slot, now),
                    _ => self.leave_section(place, slot),
                }
            }
            (_, Answer::Lost(_)) => {}
            (state, answer) => {
                let expected = match state {
                    State::Idle { .. } | State::Inside { .. } => {
                        "nothing had been asked".to_owned()
                    }
                    State::Asked { verb, .. } | State::Telling { verb, .. } => {
                        format!("`{verb}` had been asked")
                    }
                    State::Releasing { .. } => "`release` had been asked".to_owned(),
                    State::Removing { .. } => "`remove` had been asked".to_owned(),
                };
                self.distrust(place, &format!("it said `{answer}` when {expected}"));
            }
        }
    }

    pub(super) fn enter(&mut self, place: usize, slot: usize, verb: Verb, asked: u64, now: u64) {
        let who = self.who(place, slot);
        let state = self.pool.workers[place].slots[slot];
        let again = self.judge.first().is_none();
        self.timeline.note(now, who, EventKind::Acquired);
        if self.judge.entered(who, verb, now, state.stalled) {
            self.timeline.look_here(again);
        }
        self.tally.sections[place * self.slots + slot] += 1;
        self.last_progress = now;
        self.idle = 0;
        if self.may_ask() && matches!(verb, Verb::Acquire | Verb::Read) {
            let wait = Wait {
                asked,
                time: now - asked,
                passed_over: self.tally.all_sections() - state.seen - 1,
            };
            if self.is_undisturbed() {
                self.look_for_the_passed_over(place * self.slots + slot, wait);
            }
        }
        self.wake_the_parked(now);
        self.asked_freely = None;
        if let Some(left) = self.left_at.take() {
            self.tally.handed_over(now - left);
        }
        if matches!(verb, Verb::Acquire | Verb::Read) {
            self.tally.waited(now - asked);
            self.look_for_the_starved(place, asked, state.seen);
        }
        let hold = match (self.hold_of_phase(place, slot), self.random.once_in(8)) {
            (Some(hold), _) => hold,
            (None, true) => 0,
            (None, false) => self.random.below(self.options.hold.as_nanos() as u64 + 1),
        };
        let spare = self.pool.workers[place].has_spare();
        let act = choices::in_section(self.scenario, &self.pauses, spare, &mut self.random);
        let slot_state = &mut self.pool.workers[place].slots[slot];
        slot_state.state = State::Inside { until: now + hold };
        slot_state.act = act;
        slot_state.entered = now;
        match act {
            Some(FaultKind::Kill) => self.pool.workers[place].killed_at = Some(now + hold),
            Some(FaultKind::Pause(time)) => self.stop(place, time),
            Some(FaultKind::Unlink) => self.unlink(place, slot, now),
            Some(FaultKind::Tell(verb)) => {
                self.pool.workers[place].slots[slot].state = State::Telling { verb, at: now };
                self.tell(place, slot, verb);
            }
            _ if hold == 0 => self.leave_section(place, slot),
            _ => {}
        }
    }

    /// It stays in for a while, for others to come in.
    pub(super) fn expose(&mut self, place: usize, slot: usize, now: u64) {
        let hand_over = self.tally.hand_overs().map_or(0.0, |times| times.p50_us);
        let exposure = match hand_over > SLOW_US {
            true => EXPOSURE_OF_THE_SLOW,
            false => EXPOSURE,
        };
        let until = now + self.random.choose(&exposure);
        self.pool.workers[place].slots[slot].state = State::Inside { until };
    }

    pub(super) fn after_release(&mut self, place: usize, slot: usize, now: u64) {
        match self.pool.workers[place].slots[slot].act.take() {
            Some(FaultKind::Remove) => {
                self.pool.workers[place].slots[slot].state = State::Removing { at: now };
                self.tell(place, slot, Verb::Remove);
            }
            Some(FaultKind::Leave) => {
                self.tally.fault("exits");
                let worker_slot = &mut self.pool.workers[place];
                worker_slot.leaves_by = Some(now + LEAVE);
                worker_slot.slots[slot].state = State::Idle { until: now };
                worker_slot
                    .process
                    .as_mut()
                    .into_iter()
                    .for_each(|process| process.end_input());
            }
            _ => self.rest(place, slot, now),
        }
    }

    /// Until it asks again: at once, soon, or so late that the lock is free for a while.
    pub(super) fn rest(&mut self, place: usize, slot: usize, now: u64) {
        let hold = self.options.hold.as_nanos() as u64;
        // Where rounds see to it that the lock is free at times, there is the more competition besides.
        let competition = if self.is_undisturbed() { 5 } else { 2 };
        let rest = match self.random.below(competition + 2) {
            chance if chance < competition => 0,
            chance if chance == competition => self.random.below(hold + 1),
            _ => self.random.below(10 * hold + 1),
        };
        // Half of the time whoever gives it back does nothing until another has got it: it must not wake one whom the release has not woken.
        let parks = self.is_undisturbed() && self.somebody_waits() && self.hands_over(now);
        let rest = if parks { PARKED - now } else { rest };
        let worker_slot = &mut self.pool.workers[place];
        // One that is to be killed while it releases must not be killed while it acquires, if it was quicker than that.
        let until = worker_slot.killed_at.map_or(now + rest, |at| at + 1);
        worker_slot.slots[slot].state = State::Idle { until };
    }

    /// For a while the lock is only handed over, for a while everybody comes as chance has it.
    fn hands_over(&self, now: u64) -> bool {
        now / HANDS_OVER_FOR % 2 == 1
    }

    fn somebody_waits(&self) -> bool {
        let mut slots = self
            .pool
            .workers
            .iter()
            .flat_map(|worker_slot| &worker_slot.slots);
        slots.any(|slot| slot.state.waits())
    }

    pub(super) fn wake_the_parked(&mut self, now: u64) {
        for slot in self
            .pool
            .workers
            .iter_mut()
            .flat_map(|worker_slot| &mut worker_slot.slots)
        {
            if slot.state == (State::Idle { until: PARKED }) {
                slot.state = State::Idle { until: now };
            }
        }
    }

    pub(super) fn back_off(&mut self, place: usize, slot: usize, now: u64) {
        let until = now + 1_000_000 + self.random.below(4_000_000);
        self.pool.workers[place].slots[slot].state = State::Idle { until };
    }
}

fn told(verb: Verb) -> (&'static str, EventKind) {
    match verb {
        Verb::ForkRelease => ("forks that release", EventKind::Forked),
        Verb::ForkExit => ("forks that exit", EventKind::Forked),
        Verb::KillWrapper => ("wrappers killed", EventKind::WrapperKilled),
        _ => ("reopenings", EventKind::Reopened),
    }
}

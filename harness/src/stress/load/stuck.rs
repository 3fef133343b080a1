//! Who waits in vain.

use std::time::Duration;

use crate::model::Verdict;

use super::Load;
use super::rounds::milliseconds;
use super::service::Wait;
use crate::protocol::{Answer, Capability, Verb};
use crate::workers::pool::{State, answer_of};

/// So long one waits, while others get the lock, before it is called starved.
const STARVED: u64 = 20_000_000_000;
/// So long one may wait for a lock that is free before it is called stuck.
const FREE_AND_WAITED_FOR: u64 = 30_000_000_000;

/// A lock that has always been handed over so many times as fast is stuck when it is not.
const MANY_TIMES: f64 = 30.0;
/// After so many hand-overs it is known how long they take.
const HAND_OVERS: u64 = 50;
/// But never before this.
const AT_LEAST: Duration = Duration::from_secs(3);
/// At most so much is counted between two looks: in the rest we, and perhaps everybody, did not run.
const LOOK: u64 = 100_000_000;

impl Load<'_> {
    /// Where nothing is done to the lock but to use it, no holder is unknown: a lock that nobody holds and somebody waits for is handed over.
    fn look_for_the_idle(&mut self, now: u64) {
        let passed = (now - self.looked_at).min(LOOK);
        self.looked_at = now;
        let slots = || {
            self.pool
                .workers
                .iter()
                .flat_map(|worker_slot| &worker_slot.slots)
        };
        let free =
            slots().all(|slot| matches!(slot.state, State::Idle { .. }) || slot.state.waits());
        let waits = slots().any(|slot| slot.state.waits());
        if !(free && waits && self.is_undisturbed()) {
            self.idle = 0;
            return;
        }
        self.idle += passed;
        if self.idle < AT_LEAST.as_nanos() as u64 {
            return;
        }
        let patience = self.options.stuck_after();
        let longest = match self.tally.hand_overs() {
            Some(times) if times.count >= HAND_OVERS => times.max_us,
            _ => return,
        };
        let bound = Duration::from_secs_f64(longest * MANY_TIMES / 1e6);
        if u128::from(self.idle) < bound.clamp(AT_LEAST.min(patience), patience).as_nanos() {
            return;
        }
        let waiters: Vec<String> = self
            .waiting()
            .map(|(place, slot, at)| {
                format!(
                    "worker {place} slot {slot} has waited since {}, for {:.1} s",
                    milliseconds(at),
                    (now - at) as f64 / 1e9
                )
            })
            .collect();
        let why = format!(
            "{}, although nobody holds the lock: {}; it had never taken longer than {} to be handed over",
            waiters.join(" and "),
            self.who_holds(),
            milliseconds((longest * 1e3) as u64)
        );
        self.end(Verdict::Stuck, why);
    }

    /// Who waits for the lock, and since when.
    fn waiting(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.pool
            .workers
            .iter()
            .enumerate()
            .flat_map(|(place, worker_slot)| {
                let slots = worker_slot.slots.iter().enumerate();
                slots.filter_map(move |(number, slot)| match slot.state {
                    State::Asked { at, .. } if slot.state.waits() => Some((place, number, at)),
                    _ => None,
                })
            })
    }

    /// A slot came in while nothing but the load was at work. One that waits far longer than the others, time after time, is starved.
    pub(super) fn look_for_the_passed_over(&mut self, slot: usize, wait: Wait) {
        let Some(starved) = self.service.entered(slot, wait) else {
            return;
        };
        let name = |slot: usize| format!("worker {} slot {}", slot / self.slots, slot % self.slots);
        let others: Vec<String> = starved
            .others
            .iter()
            .map(|(other, sections)| format!("{} {sections} times", name(*other)))
            .collect();
        let why = format!(
            "{} got the lock {} times, {}; where others got it first, its last waits took {} or longer, and three quarters of theirs less than {}; \
             from {} it waited for {} and was passed over {} times",
            name(starved.slot),
            starved.sections,
            others.join(", "),
            milliseconds(starved.shortest),
            milliseconds(starved.usual),
            milliseconds(starved.longest.asked),
            milliseconds(starved.longest.time),
            starved.longest.passed_over,
        );
        self.end(Verdict::Starved, why);
    }

    pub(super) fn look_for_the_stuck(&mut self) {
        let now = self.now();
        self.look_for_the_idle(now);
        let patience = self.options.stuck_after().as_nanos() as u64;
        let mut waiter = None;
        let mut waiting = Vec::new();
        for (place, worker_slot) in self.pool.workers.iter().enumerate() {
            for slot in &worker_slot.slots {
                let Some((verb, at)) = slot.state.pending() else {
                    continue;
                };
                if worker_slot.stopped_until.is_some() || now.saturating_sub(at) < patience {
                    continue;
                }
                if !slot.state.waits() {
                    let seconds = (now - at) as f64 / 1e9;
                    let why =
                        format!("worker {place} has not answered `{verb}` for {seconds:.1} s");
                    return self.end(Verdict::Stuck, why);
                }
                waiter = Some((place, at));
                waiting.push((place, at, slot.seen));
            }
        }
        for (place, at, seen) in waiting {
            self.look_for_the_starved(place, at, seen);
        }
        let Some((place, since)) = waiter else { return };
        let quiet = now - self.last_progress.max(self.asked_freely.unwrap_or(0));
        if self.judge.somebody_is_in() || quiet < patience {
            return;
        }
        let seconds = (now - self.last_progress) as f64 / 1e9;
        match self.ask_a_fresh_worker(place) {
            Ok(true) if now - since > FREE_AND_WAITED_FOR => {
                let waited = (now - since) as f64 / 1e9;
                self.end(
                    Verdict::Stuck,
                    format!(
                        "worker {place} has waited since {}, for {waited:.1} s, although nobody holds the lock: a fresh worker \
                         got it at once",
                        milliseconds(since)
                    ),
                );
            }
            Ok(true) => self.asked_freely = Some(self.now()),
            // The answer of a waiter may have come in meanwhile.
            Ok(false) if self.pool.wait(Duration::ZERO).is_empty() => self.end(
                Verdict::Stuck,
                format!("nobody has got the lock for {seconds:.1} s though nobody holds it, nor did a fresh worker{}", self.lease_advice()),
            ),
            Ok(false) => self.asked_freely = Some(self.now()),
            Err(why) => self.end(Verdict::Stuck, format!("nobody has got the lock for {seconds:.1} s ({why})")),
        }
    }

    /// What is stuck for now may be waiting for the end of a dead holder's lease.
    fn lease_advice(&self) -> &'static str {
        match (self.options.lease, self.options.stuck_after) {
            (None, None) => "; if the lock has a lease longer than that, name it with --lease",
            _ => "",
        }
    }

    /// One that has waited for long while others got the lock often.
    pub(super) fn look_for_the_starved(&mut self, place: usize, asked: u64, seen: u64) {
        let waited = self.now().saturating_sub(asked);
        let others = self.tally.all_sections() - seen;
        if waited > STARVED && others > 100 {
            let seconds = waited as f64 / 1e9;
            self.end(
                Verdict::Starved,
                format!(
                    "worker {place} waited {seconds:.1} s while others got the lock {others} times"
                ),
            );
        }
    }

    /// Whether somebody who comes now gets the lock.
    ///
    /// It has the number of a worker that waits: its number may be that of a host.
    fn ask_a_fresh_worker(&mut self, beside: usize) -> Result<bool, String> {
        self.become_uncertain();
        let (mut process, _, _) = self.pool.spawner.start_ready(beside)?;
        let verb = match self.can.has(Capability::NoTry) {
            true => Verb::Acquire,
            false => Verb::Try,
        };
        let gone = |error| format!("a fresh worker was gone at once: {error}");
        process.tell(0, verb).map_err(gone)?;
        let got = answer_of(&mut process, 0, Duration::from_secs(5)) == Some(Answer::Acquired);
        if got {
            process.tell(0, Verb::Release).map_err(gone)?;
            answer_of(&mut process, 0, Duration::from_secs(5));
        }
        Ok(got)
    }
}

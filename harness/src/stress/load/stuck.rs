//! Waiters that never get the lock.

use std::time::Duration;

use crate::model::Verdict;

use super::Load;
use super::rounds::milliseconds;
use super::service::{self, Wait};
use crate::protocol::{Answer, Capability, Verb};
use crate::workers::WorkerError;
use crate::workers::pool::{State, answer_of};
use crate::workers::worker::WorkerProcess;

/// Time for which one waiter may be passed over before the verdict is *starved*, in nanoseconds.
const STARVED_AFTER: u64 = 20_000_000_000;
/// Time that a waiter may wait for a free lock before the verdict is *stuck*, in nanoseconds.
const FREE_LIMIT: u64 = 30_000_000_000;

/// The lock is stuck if a hand-over takes this many times as long as the longest one so far.
const MANY_TIMES: f64 = 30.0;
/// Number of hand-overs that shows their usual duration.
const HAND_OVERS: u64 = 50;
/// Shortest time without a hand-over that counts as stuck.
const AT_LEAST: Duration = Duration::from_secs(3);
/// Longest interval between two checks that counts: in a longer one this process did not run.
const MAX_INTERVAL: u64 = 100_000_000;

impl Load<'_> {
    /// Ends the scenario if the lock stays free although a slot waits for it.
    ///
    /// Only without faults: then every holder is known.
    fn check_idle(&mut self, now: u64) {
        let passed = (now - self.checked_at).min(MAX_INTERVAL);
        self.checked_at = now;
        let slots = || self.pool.slots();
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
        let limit = self.options.stuck_after();
        let longest = match self.statistics.hand_overs() {
            Some(times) if times.count >= HAND_OVERS => times.max_us,
            _ => return,
        };
        let bound = Duration::from_secs_f64(longest * MANY_TIMES / 1e6);
        if u128::from(self.idle) < bound.clamp(AT_LEAST.min(limit), limit).as_nanos() {
            return;
        }
        let waiters: Vec<String> = self
            .waiting()
            .map(|(worker, slot, at)| {
                format!(
                    "worker {worker} slot {slot} has waited since {}, for {:.1} s",
                    milliseconds(at),
                    (now - at) as f64 / 1e9
                )
            })
            .collect();
        let why = format!(
            "{}, although the lock is free: {}; no earlier hand-over took longer than {}",
            waiters.join(" and "),
            self.holder_description(),
            milliseconds((longest * 1e3) as u64)
        );
        self.end(Verdict::Stuck, why);
    }

    /// The waiters: worker, slot and time of the request.
    fn waiting(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.pool
            .workers
            .iter()
            .enumerate()
            .flat_map(|(worker, worker_slot)| {
                let slots = worker_slot.slots.iter().enumerate();
                slots.filter_map(move |(number, slot)| match slot.state {
                    State::Asked { at, .. } if slot.state.waits() => Some((worker, number, at)),
                    _ => None,
                })
            })
    }

    /// Records the wait of a slot that acquired the lock in a scenario without faults, and ends the
    /// scenario if the slot repeatedly waits far longer than the others.
    pub(super) fn check_service(&mut self, slot: usize, wait: Wait) {
        let Some(starved) = self.service.entered(slot, wait) else {
            return;
        };
        let name = |slot: usize| format!("worker {} slot {}", slot / self.slots, slot % self.slots);
        let others: Vec<String> = starved
            .others
            .iter()
            .map(|(other, sections)| format!("{sections} of {}", name(*other)))
            .collect();
        let why = format!(
            "{name} waited for {} (from {} on) while others acquired the lock {} times; each of \
             its last such waits took at least {}, and three quarters of the others' waits less \
             than {}; sections: {} of {name}, {}",
            milliseconds(starved.longest.time),
            milliseconds(starved.longest.asked),
            starved.longest.passed_over,
            milliseconds(starved.shortest),
            milliseconds(starved.usual),
            starved.sections,
            others.join(", "),
            name = name(starved.slot),
        );
        self.end(Verdict::Starved, why);
    }

    pub(super) fn check_stuck(&mut self) {
        let now = self.now();
        self.check_idle(now);
        let limit = self.options.stuck_after().as_nanos() as u64;
        let mut waiter = None;
        let mut waiting = Vec::new();
        for (worker, worker_slot) in self.pool.workers.iter().enumerate() {
            for (number, slot) in worker_slot.slots.iter().enumerate() {
                let Some((verb, at)) = slot.state.pending() else {
                    continue;
                };
                if worker_slot.stopped_until.is_some() || now.saturating_sub(at) < limit {
                    continue;
                }
                if !slot.state.waits() {
                    let seconds = (now - at) as f64 / 1e9;
                    let why =
                        format!("worker {worker} has not answered `{verb}` for {seconds:.1} s");
                    return self.end(Verdict::Stuck, why);
                }
                waiter = Some((worker, at));
                waiting.push((worker, number, at, slot.sections_before));
            }
        }
        for (worker, slot, at, sections_before) in waiting {
            self.check_starved(worker, slot, at, sections_before);
        }
        let Some((worker, since)) = waiter else {
            return;
        };
        let quiet = now - self.last_progress.max(self.last_probe.unwrap_or(0));
        if self.judge.is_held() || quiet < limit {
            return;
        }
        let seconds = (now - self.last_progress) as f64 / 1e9;
        match self.probe_with_fresh_worker(worker) {
            Ok(true) if now - since > FREE_LIMIT => {
                let waited = (now - since) as f64 / 1e9;
                self.end(
                    Verdict::Stuck,
                    format!(
                        "worker {worker} has waited since {}, for {waited:.1} s, \
                         although the lock is free: a new worker acquired it at once",
                        milliseconds(since)
                    ),
                );
            }
            Ok(true) => self.last_probe = Some(self.now()),
            // A waiter may have answered meanwhile.
            Ok(false) if self.pool.wait(Duration::ZERO).is_empty() => self.end(
                Verdict::Stuck,
                format!(
                    "no worker has acquired the lock for {seconds:.1} s although it is free; a new \
                     worker did not get it either{}",
                    self.lease_advice()
                ),
            ),
            Ok(false) => self.last_probe = Some(self.now()),
            Err(error) => self.end(
                Verdict::Stuck,
                format!("no worker has acquired the lock for {seconds:.1} s ({error})"),
            ),
        }
    }

    /// Advice for a lock that may only be waiting for the end of a dead holder's lease.
    fn lease_advice(&self) -> &'static str {
        match (self.options.lease, self.options.stuck_after) {
            (None, None) => "; if the lock has a lease longer than that, set --lease",
            _ => "",
        }
    }

    /// Ends the scenario if a waiter has waited for long while others acquired the lock many times.
    pub(super) fn check_starved(
        &mut self,
        worker: usize,
        slot: usize,
        asked: u64,
        sections_before: u64,
    ) {
        let waited = self.now().saturating_sub(asked);
        let others = self.statistics.all_sections() - sections_before;
        let starved = waited > STARVED_AFTER && others > 100;
        if starved && !self.is_by_machine(worker, slot, waited) {
            let seconds = waited as f64 / 1e9;
            self.end(
                Verdict::Starved,
                format!(
                    "worker {worker} waited {seconds:.1} s while others acquired the lock {others} \
                     times"
                ),
            );
        }
    }

    /// Returns `true` if the machine is to blame for a wait that has lasted until now.
    pub(super) fn is_by_machine(&self, worker: usize, slot: usize, wait: u64) -> bool {
        let process = self.pool.workers[worker].process.as_ref();
        let waiter = worker * self.slots + slot;
        let explains = |process: &WorkerProcess| {
            let wait = Duration::from_nanos(wait);
            self.run_delays.explain(waiter, process.id(), wait)
        };
        wait >= service::AT_LEAST && process.is_some_and(explains)
    }

    /// Ends a wait for [`Self::is_by_machine`]. Waits that are too short to matter cost nothing.
    pub(super) fn note_run_delays(&mut self, worker: usize, slot: usize, wait: u64) {
        if let Some(process) = &self.pool.workers[worker].process
            && wait >= service::AT_LEAST
        {
            self.run_delays
                .note(worker * self.slots + slot, process.id());
        }
    }

    /// Returns `true` if a new worker gets the lock.
    ///
    /// It gets the number of a waiting worker, since the number may select a host.
    fn probe_with_fresh_worker(&mut self, beside: usize) -> Result<bool, WorkerError> {
        self.note_uncertainty();
        let (mut process, _) = self.pool.spawner.start_ready(beside)?;
        let verb = match self.capabilities.has(Capability::NoTry) {
            true => Verb::Acquire,
            false => Verb::Try,
        };
        process.send(0, verb).map_err(WorkerError::Gone)?;
        let got = matches!(
            answer_of(&mut process, 0, Duration::from_secs(5)),
            Some(Answer::Acquired(_))
        );
        if got {
            process.send(0, Verb::Release).map_err(WorkerError::Gone)?;
            answer_of(&mut process, 0, Duration::from_secs(5));
        }
        Ok(got)
    }
}

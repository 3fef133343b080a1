//! Workers that end, and workers that are replaced.

use std::time::{Duration, Instant};

use super::Load;
use crate::model::{EventKind, Verdict};
use crate::workers::pool::{State, in_background, stderr_of, wait_for};
use crate::workers::worker::describe;

/// Number of workers that may fail by themselves before the scenario ends.
const FAILURES: u32 = 50;

impl Load<'_> {
    /// Handles a closed output: the worker has ended, or can do no more work.
    pub(super) fn handle_end(&mut self, worker: usize) {
        let worker_slot = &mut self.pool.workers[worker];
        let leaving = worker_slot.leaves_by.is_some();
        let Some(process) = &mut worker_slot.process else {
            return;
        };
        let deadline = Instant::now() + Duration::from_millis(200);
        while process.ended().is_none() && !leaving && Instant::now() < deadline {
            wait_for(process, Duration::from_millis(5));
        }
        if leaving && process.ended().is_none() {
            return; // it will end, or be killed at its deadline
        }
        let (status, errors) = (process.ended(), stderr_of(process));
        let stays = status.map_or("", |status| in_background(process, status));
        match status {
            Some(status) if leaving && status.success() => {}
            Some(status) if leaving => {
                self.statistics.error(format!(
                    "a worker {} when it was told to exit{errors}",
                    describe(status)
                ));
            }
            Some(status) => {
                let activity = self.activity(worker);
                self.statistics.error(format!(
                    "a worker {} while it {activity}{stays}{errors}",
                    describe(status)
                ));
                self.failures += 1;
            }
            None => {
                self.statistics.error(format!(
                    "a worker closed its standard output, but is still running{errors}"
                ));
                self.failures += 1;
            }
        }
        let now = self.now();
        for slot in 0..self.slots {
            self.judge.discard(self.slot_id(worker, slot));
            let what = if leaving {
                EventKind::Left
            } else {
                EventKind::Died
            };
            self.timeline.note(now, self.slot_id(worker, slot), what);
        }
        self.clear_worker(worker);
    }

    pub(super) fn activity(&self, worker: usize) -> &'static str {
        let states = self.pool.workers[worker]
            .slots
            .iter()
            .map(|slot| slot.state);
        states
            .filter_map(|state| match state {
                State::Idle { .. } => None,
                State::Asked { .. } => Some("was acquiring"),
                State::Inside { .. } | State::Executing { .. } => Some("held the lock"),
                State::Releasing { .. } => Some("was releasing"),
                State::Removing { .. } => Some("was removing the lock"),
            })
            .next()
            .unwrap_or("was idle")
    }

    pub(super) fn clear_worker(&mut self, worker: usize) {
        self.note_uncertainty();
        let worker_slot = &mut self.pool.workers[worker];
        worker_slot.process = None;
        worker_slot.stopped_until = None;
        worker_slot.killed_at = None;
        worker_slot.leaves_by = None;
        worker_slot.garbage = 0;
        if self.failures >= FAILURES {
            let why = format!("{FAILURES} workers failed on their own");
            match self.statistics.all_sections() {
                0 => self.end(Verdict::NotKnown, why),
                _ => self.end(Verdict::Errors, why),
            }
        }
    }

    /// Replaces a worker whose answers are wrong; none of its open holds count.
    pub(super) fn replace_untrusted(&mut self, worker: usize, why: &str) {
        if self.pool.workers[worker].process.is_none() {
            return;
        }
        self.statistics
            .error(format!("a worker was replaced: {why}"));
        self.failures += 1;
        for slot in 0..self.slots {
            self.judge.discard(self.slot_id(worker, slot));
        }
        self.clear_worker(worker);
    }
}

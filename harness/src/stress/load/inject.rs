//! Faults injected into workers and into the lock.

use std::time::Duration;

use crate::model::EventKind;
use crate::sys::program::was_killed;

use super::super::judge::SlotId;
use super::Load;

impl Load<'_> {
    pub(super) fn kill(&mut self, worker: usize) {
        self.note_uncertainty();
        let now = self.now();
        let ids: Vec<SlotId> = (0..self.slots)
            .map(|slot| self.slot_id(worker, slot))
            .collect();
        for id in &ids {
            self.judge.left(*id, now);
            self.timeline.note(now, *id, EventKind::Killed);
        }
        self.note_release(now);
        let Some(mut process) = self.pool.workers[worker].process.take() else {
            return;
        };
        process.kill();
        let by_us = process.ended().is_some_and(was_killed);
        for id in ids {
            match by_us {
                true => self.judge.confirm(id),
                false => self.judge.discard(id),
            }
        }
        self.statistics.fault("kills");
        self.clear_worker(worker);
    }

    pub(super) fn stop(&mut self, worker: usize, time: Duration) {
        let now = self.now();
        let worker_slot = &mut self.pool.workers[worker];
        worker_slot.stopped_until = Some(now + time.as_nanos() as u64);
        if let Some(process) = &worker_slot.process {
            process.stop();
        }
        for slot in 0..self.slots {
            let id = self.slot_id(worker, slot);
            self.judge.paused(Some(id));
            self.timeline.note(now, id, EventKind::Paused);
        }
        let long = time > self.pauses.long() / 2;
        self.statistics
            .fault(if long { "long pauses" } else { "short pauses" });
    }

    pub(super) fn resume(&mut self, worker: usize) {
        let now = self.now();
        self.pool.workers[worker].stopped_until = None;
        if let Some(process) = &self.pool.workers[worker].process {
            process.resume();
        }
        for slot in 0..self.slots {
            self.timeline
                .note(now, self.slot_id(worker, slot), EventKind::Resumed);
        }
    }

    pub(super) fn unlink(&mut self, worker: usize, slot: usize, now: u64) {
        if self.pool.spawner.delete_files() == 0 {
            return;
        }
        self.statistics.fault("deletions");
        self.timeline
            .note(now, self.slot_id(worker, slot), EventKind::Unlinked);
        self.extend_hold(worker, slot, now);
    }
}

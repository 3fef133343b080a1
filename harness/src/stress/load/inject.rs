//! What is done to workers, and to the lock.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::model::EventKind;

use super::super::judge::Who;
use super::Load;

impl Load<'_> {
    pub(super) fn kill(&mut self, place: usize) {
        self.become_uncertain();
        let now = self.now();
        let whos: Vec<Who> = (0..self.slots).map(|slot| self.who(place, slot)).collect();
        for who in &whos {
            self.judge.left(*who, now);
            self.timeline.note(now, *who, EventKind::Killed);
        }
        self.note_leaving(now);
        let Some(mut process) = self.pool.workers[place].process.take() else {
            return;
        };
        process.kill();
        let by_us = process
            .ended()
            .is_some_and(|status| status.signal() == Some(Signal::SIGKILL as i32));
        for who in whos {
            match by_us {
                true => self.judge.proved(who),
                false => self.judge.void(who),
            }
        }
        self.tally.fault("kills");
        self.vacate(place);
    }

    pub(super) fn stop(&mut self, place: usize, time: Duration) {
        let now = self.now();
        let worker_slot = &mut self.pool.workers[place];
        worker_slot.stopped_until = Some(now + time.as_nanos() as u64);
        if let Some(process) = &worker_slot.process {
            process.signal(Signal::SIGSTOP);
        }
        for slot in 0..self.slots {
            let who = self.who(place, slot);
            self.judge.paused(Some(who));
            self.timeline.note(now, who, EventKind::Paused);
        }
        let long = time > self.pauses.long() / 2;
        self.tally
            .fault(if long { "long pauses" } else { "short pauses" });
    }

    pub(super) fn resume(&mut self, place: usize) {
        let now = self.now();
        self.pool.workers[place].stopped_until = None;
        if let Some(process) = &self.pool.workers[place].process {
            process.signal(Signal::SIGCONT);
        }
        for slot in 0..self.slots {
            self.timeline
                .note(now, self.who(place, slot), EventKind::Resumed);
        }
    }

    pub(super) fn unlink(&mut self, place: usize, slot: usize, now: u64) {
        if self.pool.spawner.delete_files() == 0 {
            return;
        }
        self.tally.fault("deletions");
        self.timeline
            .note(now, self.who(place, slot), EventKind::Unlinked);
        self.expose(place, slot, now);
    }
}

//! The actors that can take the next step.

use super::super::controller::WorkerState;
use super::super::schedule::{Candidate, Readiness};
use super::super::syscalls::Footprint;
use super::{Run, deletion};

impl Run<'_, '_> {
    /// All actors that can take the next step.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = (0..self.workers.len())
            .filter_map(|number| Some(self.candidate(number, self.readiness(number)?)))
            .collect();
        let looks_in_vain = |candidate: &Candidate| candidate.readiness == Readiness::Yielded;
        if candidates.iter().all(looks_in_vain) {
            // The others may be waiting for a worker that has answered and is still closing a file.
            let tidying = (0..self.workers.len())
                .filter(|&number| self.controller.workers[number].tidies_up());
            let tidying = tidying.map(|number| self.candidate(number, Readiness::Ready));
            candidates.extend(tidying);
        }
        // By default, the files are deleted when a worker is in the section.
        if self.deletes_files && self.workers.iter().any(|worker| worker.inside.is_some()) {
            candidates.push(Candidate {
                actor: self.outsider(),
                nth: 0,
                readiness: Readiness::Ready,
                next: Footprint::of(&deletion(), false),
            });
        }
        candidates
    }

    /// The readiness of a worker for its next step; `None` if it cannot take one.
    fn readiness(&self, number: usize) -> Option<Readiness> {
        let worker = &self.workers[number];
        let controlled = &self.controller.workers[number];
        let awaits_command = controlled.command.is_none() && !worker.script.is_empty();
        let can_step = controlled.can_step();
        if worker.dead || controlled.state == WorkerState::Gone || !(awaits_command || can_step) {
            return None;
        }
        let sleeps = controlled.sleeps_next();
        Some(match worker.inside {
            Some(hold) if awaits_command => Readiness::Holding {
                since: hold.since_step,
            },
            _ if can_step
                && (worker.takes_long() || worker.looks_in_vain(sleeps, self.changed_at)) =>
            {
                Readiness::Yielded
            }
            _ => Readiness::Ready,
        })
    }

    fn candidate(&self, number: usize, readiness: Readiness) -> Candidate {
        Candidate {
            actor: number,
            nth: self.workers[number].nth,
            readiness,
            next: self.controller.next_footprint(number),
        }
    }
}

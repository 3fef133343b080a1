//! The end of leases as a move.

use std::time::Instant;

use crate::engines::Lease;

use super::super::end::{End, FailureReason};
use super::super::moves::Fault;
use super::super::schedule::{Action, Candidate};
use super::Run;

impl Run<'_, '_> {
    /// Returns `true` if the worker has a lease that may run out.
    pub(super) fn may_expire(&self, number: usize) -> bool {
        let worker = &self.workers[number];
        !worker.dead && !worker.stale && self.leases.of(number).next().is_some()
    }

    /// A worker that was killed and still has a lease, which ends as time passes.
    pub(super) fn dead_owner(&self) -> Option<usize> {
        let mut all = 0..self.workers.len();
        all.find(|&number| self.workers[number].dead && self.leases.of(number).next().is_some())
    }

    /// Lets the leases of a worker run out.
    pub(super) fn expire(
        &mut self,
        owner: usize,
        candidates: Vec<Candidate>,
        faults: Vec<Fault>,
    ) -> Option<End> {
        let leases: Vec<Lease> = self.leases.of(owner).cloned().collect();
        for lease in &leases {
            if let Err(error) = self.controller.expire(lease) {
                return Some(End::Failed(FailureReason::Server(error.to_string())));
            }
        }
        self.workers[owner].stale = true;
        let action = Action::Expired(leases.into_iter().map(|lease| lease.id).collect());
        self.record_fault(owner, action, candidates, faults);
        self.look_up_leases(owner)
    }

    /// Looks up the leases after the last step, if it was a request that may have changed them.
    pub(super) fn learn_leases(&mut self, by: usize) -> Option<End> {
        let changes = match &self.steps.last()?.action {
            Action::Called { call, .. } => call.operation.is_on_server() && call.effect.changes(),
            _ => false,
        };
        changes.then(|| self.look_up_leases(by)).flatten()
    }

    /// Looks up the leases after requests that tasks of workers have made by themselves.
    pub(super) fn learn_from_others(&mut self) -> Option<End> {
        for worker in self.controller.take_acted() {
            self.note_change();
            let end = self.look_up_leases(worker);
            if end.is_some() {
                return end;
            }
        }
        None
    }

    pub(super) fn look_up_leases(&mut self, by: usize) -> Option<End> {
        let leases = match self.controller.leases() {
            Ok(leases) => leases,
            Err(error) => return Some(End::Failed(FailureReason::Server(error.to_string()))),
        };
        let owner = |port| self.controller.owner_of_port(port);
        let (granted, expired) = self.leases.learn(leases, by, owner, Instant::now());
        for worker in granted {
            self.workers[worker].stale = false;
        }
        for worker in expired {
            self.workers[worker].stale = true;
        }
        None
    }

    /// Returns `true` if a lease of the worker may have run out by itself, in real time.
    pub(super) fn may_have_expired(&self, worker: usize) -> bool {
        self.leases.is_over(worker, Instant::now())
    }
}

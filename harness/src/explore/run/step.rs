//! Makes one move.

use crate::model::Verb;

use super::super::command::Command;
use super::super::deaths::is_change;
use super::super::end::End;
use super::super::moves::{Fault, Move};
use super::super::schedule::{Action, Candidate, Step};
use super::super::syscalls::Operation;
use super::{Run, deletion};

impl Run<'_, '_> {
    /// Makes a move. Returns the end of the schedule if that ends it.
    pub(super) fn make(
        &mut self,
        made: Move,
        candidates: Vec<Candidate>,
        faults: Vec<Fault>,
    ) -> Option<End> {
        match made {
            Move::Step(actor) if actor == self.outsider() => {
                self.delete_files(candidates, faults);
                None
            }
            Move::Step(actor) => self.step(actor, candidates, faults),
            Move::Expire(owner) => {
                self.faults_made += 1;
                self.expire(owner, candidates, faults)
            }
            Move::Crash(_) | Move::KillWrapper(_) => self.fault(made, candidates, faults),
        }
    }

    /// Lets a worker take its next step. Returns the end of the schedule if the server fails.
    fn step(
        &mut self,
        actor: usize,
        candidates: Vec<Candidate>,
        faults: Vec<Fault>,
    ) -> Option<End> {
        let worker = &mut self.workers[actor];
        let nth = worker.nth;
        worker.nth += 1;
        let has_command = self.controller.workers[actor].command.is_some();
        let command = match has_command {
            true => None,
            false => worker.script.pop_front(),
        };
        if command == Some(Command::Verb(Verb::Release)) {
            worker.inside = None;
        }
        if command == Some(Command::Verb(Verb::Acquire)) {
            worker.requests(self.steps.len() + 1);
        }
        let action = match command {
            Some(command) => {
                self.last_progress = self.steps.len();
                self.controller.give(actor, command)
            }
            None => self.controller.perform(actor),
        };
        let changed = self.has_changed(actor, &action);
        self.note_changer(actor, &action, changed);
        self.steps.push(Step {
            actor,
            nth,
            action,
            answers: Vec::new(),
            candidates,
            faults,
        });
        if changed {
            self.note_change();
        }
        let steps = self.steps.len();
        self.workers[actor].did(&self.steps[steps - 1].action, steps);
        self.learn_leases(actor)
    }

    /// Returns `true` if other workers may observe a change after this action, and then wakes those
    /// that wait for a kernel lock.
    pub(super) fn has_changed(&mut self, actor: usize, action: &Action) -> bool {
        let may_change_files = match action {
            Action::Called { call, .. } => !call.operation.keeps_files(),
            Action::Commanded(_) | Action::Blocked { .. } | Action::Expired(_) => false,
            Action::Crashed(_) | Action::WrapperKilled(_) => true,
        };
        let (may_change, mut changed) = match action {
            Action::Commanded(_) => (true, true),
            Action::Called { call, result, .. } => (
                call.effect.changes(),
                *result >= 0
                    && (call.operation.changes_holder()
                        || (call.operation.is_on_server() && !call.was_in_vain())),
            ),
            Action::Blocked { .. } => (false, false),
            Action::Crashed(_) | Action::WrapperKilled(_) | Action::Expired(_) => (true, true),
        };
        if may_change {
            for (other, worker) in self.controller.workers.iter_mut().enumerate() {
                if other != actor {
                    worker.unblock();
                }
            }
        }
        if may_change && may_change_files {
            let fingerprint = self.controller.fingerprint();
            changed |= fingerprint != self.fingerprint;
            self.fingerprint = fingerprint;
        }
        changed
    }

    /// Records whose files those of a call are now.
    fn note_changer(&mut self, actor: usize, action: &Action, changed: bool) {
        if let Action::Called { call, result, .. } = action
            && *result >= 0
            && is_change(call)
            && !call.operation.is_kernel_lock()
            // O_CREAT on a file that exists changes nothing.
            && (call.operation != Operation::Open || changed)
        {
            for name in &call.targets {
                self.changers.insert(name.clone(), actor);
            }
        }
    }

    /// The step of the outsider.
    fn delete_files(&mut self, candidates: Vec<Candidate>, faults: Vec<Fault>) {
        self.controller.unlink();
        self.deletes_files = false;
        self.steps.push(Step {
            actor: self.outsider(),
            nth: 0,
            action: Action::called(deletion(), 0),
            answers: Vec::new(),
            candidates,
            faults,
        });
        for worker in &mut self.controller.workers {
            worker.unblock();
        }
        self.note_change();
    }

    /// Records that workers may observe something new.
    pub(super) fn note_change(&mut self) {
        self.changed_at = self.steps.len();
        self.idle_rounds = 0;
        for worker in &mut self.workers {
            worker.note_change();
        }
    }
}

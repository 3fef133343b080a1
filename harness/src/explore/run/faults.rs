//! Faults that the scheduler chooses.

use crate::model::{Scenario, Verb};

use super::super::command::Command;
use super::super::end::{End, FailureReason};
use super::super::moves::{Fault, Move};
use super::super::schedule::{Action, Candidate, Death, Step};
use super::{DEAD_FOR, Run};

impl Run<'_, '_> {
    /// All faults that may take the place of the next step.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let kind = match self.config.scenario {
            Scenario::Crash => Move::Crash,
            Scenario::Expire => Move::Expire,
            Scenario::WrapperKill => Move::KillWrapper,
            _ => return Vec::new(),
        };
        if self.faults_made >= self.config.faults {
            return Vec::new();
        }
        (0..self.workers.len())
            .map(kind)
            .filter(|made| match *made {
                Move::Step(_) => false,
                Move::Crash(number) => self.may_crash(number),
                Move::KillWrapper(number) => self.may_lose_its_wrapper(number),
                Move::Expire(number) => self.may_expire(number),
            })
            .map(|made| {
                let worker = &self.workers[made.actor()];
                // A step of the wrapper may have started the command, and one that only reads may
                // be the last that still finds the lease.
                let fresh = !matches!(made, Move::Crash(_)) || worker.is_fresh();
                let nth = worker.nth;
                Fault { made, nth, fresh }
            })
            .collect()
    }

    /// Returns `true` if the worker has begun and not finished, and another would notice its death.
    fn may_crash(&self, number: usize) -> bool {
        let worker = &self.workers[number];
        let controlled = &self.controller.workers[number];
        let is_finished = worker.script.is_empty() && controlled.command.is_none();
        let mut others = self.workers.iter().enumerate();
        !worker.dead
            && worker.nth > 0
            && (!is_finished || controlled.tidies_up())
            && self.controller.lives(number)
            && others.any(|(other, worker)| other != number && !worker.dead)
    }

    fn may_lose_its_wrapper(&self, number: usize) -> bool {
        let worker = &self.workers[number];
        !worker.dead && !worker.torn && worker.nth > 0 && self.controller.wrapper(number).is_some()
    }

    /// Makes a fault happen. Returns the end of the schedule if that fails.
    pub(super) fn fault(
        &mut self,
        made: Move,
        candidates: Vec<Candidate>,
        faults: Vec<Fault>,
    ) -> Option<End> {
        let number = made.actor();
        self.faults_made += 1;
        let death = Death {
            before: self.controller.next_call(number),
            inside: self.workers[number].inside.is_some(),
        };
        let (action, killed) = match made {
            Move::KillWrapper(_) => {
                self.workers[number].torn = true;
                let killed = self.controller.kill_wrapper(number);
                (Action::WrapperKilled(death), killed)
            }
            _ => {
                self.workers[number].die();
                (Action::Crashed(death), self.controller.crash(number))
            }
        };
        if !killed {
            return Some(End::Failed(FailureReason::NotKilled { worker: number }));
        }
        self.record_fault(number, action, candidates, faults);
        self.is_aged = false;
        self.try_once_more();
        None
    }

    /// Records a fault that has hit a worker, after which all look again.
    pub(super) fn record_fault(
        &mut self,
        hit: usize,
        action: Action,
        candidates: Vec<Candidate>,
        faults: Vec<Fault>,
    ) {
        self.has_changed(hit, &action);
        self.last_progress = self.steps.len();
        self.steps.push(Step {
            actor: hit,
            nth: self.workers[hit].nth,
            action,
            answers: Vec::new(),
            candidates,
            faults,
        });
        for worker in &mut self.workers {
            worker.note_progress();
        }
        self.note_change();
    }

    /// The worker whose wrapper was killed before it ran its command, if other processes of the
    /// wrapper are left. They may hold the lock, and nobody knows for how long.
    pub(super) fn orphaned(&self) -> Option<usize> {
        (0..self.workers.len()).find(|&number| {
            self.workers[number].torn && self.controller.workers[number].command.is_some()
        })
    }

    /// Sets the times of all files back that a dead worker was the last to change.
    pub(super) fn age_files_of_the_dead(&mut self) {
        self.is_aged = true;
        let names = self.changers.iter();
        let of_the_dead = names.filter(|(_, actor)| {
            let worker = self.workers.get(**actor);
            worker.is_some_and(|worker| worker.dead)
        });
        let names: Vec<&str> = of_the_dead.map(|(name, _)| name.as_str()).collect();
        let age = DEAD_FOR + self.config.lease.unwrap_or_default();
        self.controller.age(&names, age);
        self.last_progress = self.steps.len();
        for worker in &mut self.workers {
            worker.note_progress();
        }
        self.note_change();
    }

    /// If no survivor will request the lock any more, one of them does so once more: otherwise
    /// nobody would notice that the dead worker has left the lock unusable.
    fn try_once_more(&mut self) {
        let acquire = Command::Verb(Verb::Acquire);
        let asks = |worker: &super::ScriptedWorker| worker.script.contains(&acquire);
        if !self.workers.iter().any(asks)
            && let Some(survivor) = self.workers.iter_mut().find(|worker| !worker.dead)
        {
            let section = [acquire, Command::Verb(Verb::Release)];
            survivor.script.extend(section);
        }
    }
}

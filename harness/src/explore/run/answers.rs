//! The effect of workers' answers on the schedule.

use std::time::Instant;

use crate::model::Verb;
use crate::protocol::Answer;
use crate::stress::judge::{LeaseRule, nanoseconds};
use crate::workers::pool::stderr_of;

use super::super::command::Command;
use super::super::end::{End, FailureReason};
use super::super::schedule::Action;
use super::Run;
use super::scripted_worker::Hold;

impl Run<'_, '_> {
    /// Handles all new answers. Returns the end of the schedule if they end it.
    pub(super) fn handle_answers(&mut self) -> Option<End> {
        for number in 0..self.workers.len() {
            if self.workers[number].dead {
                continue;
            }
            for answer in self.controller.take_answers(number) {
                let end = self.handle_answer(number, answer);
                if end.is_some() {
                    return end;
                }
            }
            let end = self.replace_if_left(number);
            if end.is_some() {
                return end;
            }
        }
        None
    }

    fn handle_answer(&mut self, number: usize, answer: Answer) -> Option<End> {
        self.last_progress = self.steps.len();
        for worker in &mut self.workers {
            worker.note_progress();
        }
        self.note_change();
        let mut steps = self.steps.iter_mut().rev();
        if let Some(step) = steps.find(|step| step.actor == number) {
            step.answers.push(answer.clone());
        }
        let worker = &mut self.workers[number];
        match answer {
            Answer::Acquired => return self.enter(number),
            // Its command was not run, or its wrapper did not exit as it should: we killed it.
            Answer::Error(_) if worker.torn => {
                if worker.script.front() == Some(&Command::Verb(Verb::Release)) {
                    worker.script.clear();
                }
            }
            Answer::Error(text) => {
                // A worker whose lease was ended has good reason to fail.
                if !worker.stale {
                    self.errors.push(text);
                }
                // A lock that was not acquired is not released.
                let release = Command::Verb(Verb::Release);
                if worker.inside.is_none() && worker.script.front() == Some(&release) {
                    worker.script.pop_front();
                }
            }
            Answer::Lost(_) => worker.inside = None,
            Answer::Released | Answer::Removed => {}
            answer => {
                return Some(End::Failed(FailureReason::UnexpectedAnswer {
                    worker: number,
                    answer,
                    command: self.last_command(number),
                }));
            }
        }
        None
    }

    /// Records that a worker enters the section. If another one is inside, that ends the schedule.
    fn enter(&mut self, number: usize) -> Option<End> {
        self.workers[number].inside = Some(Hold {
            since_step: self.steps.len(),
            since: Instant::now(),
        });
        // A worker that has died no longer holds the lock.
        let (stale, valid): (Vec<usize>, Vec<usize>) = (0..self.workers.len())
            .filter(|&other| {
                let is_inside = self.workers[other].inside.is_some();
                other != number && is_inside && self.controller.lives(other)
            })
            .partition(|&other| self.workers[other].stale || self.workers[number].stale);
        self.has_expired |= !stale.is_empty();
        let first = *valid.first()?;
        // The command may have ended with its wrapper (PR_SET_PDEATHSIG).
        if self.workers[first].torn && !self.controller.command_lives(first) {
            return Some(End::Failed(FailureReason::CommandEnded { worker: first }));
        }
        let rule = LeaseRule {
            lease: self.config.lease.map(nanoseconds),
        };
        // A lease counts from the request: its grant may arrive late, and so the stale one of two
        // holders may be the second.
        let on_server = self.controller.uses_servers();
        let age = |worker: usize| match self.workers[worker].inside {
            Some(hold) if !on_server => hold.since.elapsed(),
            _ => self.workers[worker].requested.elapsed(),
        };
        let may_be_over = |worker: usize| match self.controller.knows_leases() {
            true => self.may_have_expired(worker),
            false => rule.may_be_over(nanoseconds(age(worker)), false),
        };
        Some(
            match may_be_over(first) || (on_server && may_be_over(number)) {
                true => End::LeaseExpired,
                false => End::Overlap {
                    first,
                    second: number,
                },
            },
        )
    }

    /// Starts a fresh worker in place of one that left on command. A worker that ended by itself
    /// ends the schedule.
    fn replace_if_left(&mut self, number: usize) -> Option<End> {
        let worker = &self.controller.workers[number];
        let left = self.last_command(number) == Some(Command::Leave);
        if worker.is_gone() && worker.command.is_none() && left {
            if let Err(error) = self.controller.replace(number) {
                return Some(End::Failed(FailureReason::NotReplaced(error.to_string())));
            }
            self.note_change();
        }
        let worker = &mut self.controller.workers[number];
        worker.is_gone().then(|| {
            End::Failed(FailureReason::Ended {
                worker: number,
                stderr: stderr_of(&mut worker.process),
            })
        })
    }

    fn last_command(&self, number: usize) -> Option<Command> {
        let mut steps = self.steps.iter().rev().filter(|step| step.actor == number);
        steps.find_map(|step| match step.action {
            Action::Commanded(command) => Some(command),
            _ => None,
        })
    }
}

//! The effect of workers' answers on the schedule.

use std::time::Instant;

use crate::model::Verb;
use crate::protocol::Answer;
use crate::stress::judge::{BrokenFence, FencedSection, LeaseRule, nanoseconds};
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
            Answer::Acquired(token) => return self.enter(number, token),
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

    /// Records that a worker enters the section. If another one is inside, or its token does not
    /// fit, that ends the schedule.
    fn enter(&mut self, number: usize, token: Option<u64>) -> Option<End> {
        self.workers[number].inside = Some(Hold {
            since_step: self.steps.len(),
            since: Instant::now(),
            token,
        });
        if self.controller.has_made_own_requests(number) && !self.has_stepped(number) {
            return Some(End::Failed(FailureReason::NotOrdered { worker: number }));
        }
        let end = self.overlap(number);
        if let Some(End::Overlap { .. } | End::Failed(_)) = end {
            return end;
        }
        let broken = token.and_then(|token| self.check_token(number, token));
        broken.map(End::FenceBroken).or(end)
    }

    /// Returns `true` if the worker has taken a step that may change something since its last command.
    fn has_stepped(&self, number: usize) -> bool {
        let steps = self.steps.iter().rev().filter(|step| step.actor == number);
        let mut steps = steps.take_while(|step| !matches!(step.action, Action::Commanded(_)));
        steps.any(|step| step.action.may_change())
    }

    /// Compares the token of a worker that has just entered with those of the others.
    fn check_token(&mut self, number: usize, token: u64) -> Option<BrokenFence<usize>> {
        let section = |worker: usize| {
            let hold = self.workers[worker].inside?;
            Some(FencedSection {
                holder: worker,
                token: hold.token?,
                began: hold.since_step as u64,
            })
        };
        let is_valid =
            |worker: usize| !self.workers[worker].stale && !self.may_be_over(worker, true);
        let others = (0..self.workers.len())
            .filter(|&other| other != number && self.controller.lives(other) && is_valid(other));
        let valid: Vec<_> = others.filter_map(section).collect();
        let new = FencedSection {
            holder: number,
            token,
            began: self.steps.len() as u64,
        };
        let (_, requested) = self.workers[number].requested;
        let is_valid = is_valid(number);
        self.fence.begins(new, requested as u64, is_valid, valid)
    }

    /// The end if a worker that enters overlaps with another one.
    fn overlap(&mut self, number: usize) -> Option<End> {
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
        // The grant may arrive late, and so the stale one of two holders may be the second.
        let on_server = self.controller.uses_servers();
        let second_may_be = on_server && self.may_be_over(number, true);
        Some(match self.may_be_over(first, on_server) || second_may_be {
            true => End::LeaseExpired,
            false => End::Overlap {
                first,
                second: number,
            },
        })
    }

    /// Returns `true` if a worker in the section may have outlived its lease in real time. On a
    /// server, a lease counts from the request.
    fn may_be_over(&self, worker: usize, counts_from_request: bool) -> bool {
        if self.controller.knows_leases() {
            return self.may_have_expired(worker);
        }
        let rule = LeaseRule {
            lease: self.config.lease.map(nanoseconds),
        };
        let age = match self.workers[worker].inside {
            Some(hold) if !counts_from_request => hold.since.elapsed(),
            _ => self.workers[worker].requested.0.elapsed(),
        };
        rule.may_be_over(nanoseconds(age), false)
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
            // What it did on a server before it was ready is no step.
            if self.controller.uses_servers()
                && let Some(end) = self.look_up_leases(number)
            {
                return Some(end);
            }
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

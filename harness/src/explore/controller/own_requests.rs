//! Requests that tasks of a worker make by themselves.

use std::collections::VecDeque;

use nix::unistd::Pid;

use super::super::syscalls::is_first_thread;
use super::Controller;
use super::background::Background;
use super::parked::Parked;
use super::worker::Worker;

impl Controller<'_> {
    /// Keeps a task stopped before a request of its own.
    pub(super) fn hold_own_request(&mut self, number: usize, request: Parked) {
        self.workers[number].background.hold(request);
    }

    /// Sets aside the requests of tasks that turn out to act by themselves.
    pub(super) fn set_own_requests_aside(&mut self, number: usize) {
        let Worker {
            background, parked, ..
        } = &mut self.workers[number];
        background.set_aside(parked);
    }

    /// Lets tasks that sleep when their worker gets a command sleep in real time: they do not obey it.
    pub(super) fn let_others_sleep(&mut self, number: usize) {
        self.let_sleep(number, |_, _| true);
    }

    /// The same for tasks that have obeyed no command.
    pub(super) fn let_strangers_sleep(&mut self, number: usize) {
        self.let_sleep(number, Background::is_stranger);
    }

    fn let_sleep(&mut self, number: usize, which: impl Fn(&Background, Pid) -> bool) {
        let worker = &mut self.workers[number];
        let is_meant = |parked: &Parked| {
            parked.call.is_sleep()
                && which(&worker.background, parked.tid)
                && !is_first_thread(parked.tid)
        };
        let (asleep, parked) = std::mem::take(&mut worker.parked)
            .into_iter()
            .partition(is_meant);
        worker.parked = parked;
        let asleep: VecDeque<Parked> = asleep;
        for parked in asleep {
            self.tracer.resume(parked.tid);
        }
    }

    /// Makes the next request of a task that acts by itself. Returns `true` if there was one.
    pub(super) fn send_own_request(&mut self, number: usize) -> bool {
        let Some(parked) = self.workers[number].background.next_request() else {
            return false;
        };
        if !self.tracer.tasks.contains_key(&parked.tid) {
            return true;
        }
        self.workers[number].has_acted |= !parked.call.is_silent();
        self.send(number, parked);
        true
    }

    /// The workers of which a task has acted by itself since the last time.
    pub fn take_acted(&mut self) -> Vec<usize> {
        let mut workers = self.workers.iter_mut().enumerate();
        let acted = workers.by_ref();
        acted
            .filter_map(|(number, worker)| std::mem::take(&mut worker.has_acted).then_some(number))
            .collect()
    }

    /// Returns `true` if tasks of this worker have made requests by themselves since its last command.
    pub fn has_made_own_requests(&self, number: usize) -> bool {
        self.workers[number].background.made() > 0
    }
}

//! Tasks of a worker that act by themselves, such as the thread that keeps a lease alive: their
//! requests are made at once and are no steps.
//!
//! A request is one of these if its task was not woken by anybody: its last wait ended by itself, and
//! had begun before the command that is being obeyed, or before the first request of the task. The
//! connection must not have carried a step.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::super::syscalls::is_first_thread;
use super::parked::Parked;

/// The longest wait that may be one of a runtime, which says nothing about the task: a thread of Python
/// waits for the interpreter for 5 ms at a time (`sys.getswitchinterval`).
const OF_A_RUNTIME: Duration = Duration::from_millis(10);

/// The last wait of a task with a time limit.
#[derive(Clone, Copy, Debug)]
struct TimedWait {
    /// The time at which it ends by itself; `None` if nothing else ends it.
    until: Option<Instant>,
    /// The number of the command before it.
    command: u64,
    /// Set if the task had acted by itself before.
    own: bool,
}

/// The tasks of a worker, as far as they act by themselves.
#[derive(Debug, Default)]
pub struct Background {
    waits: HashMap<Pid, TimedWait>,
    /// Tasks whose last request was their own.
    tasks: HashSet<Pid>,
    /// Tasks that have obeyed a command.
    obedient: HashSet<Pid>,
    /// Tasks that have made a request before any task has obeyed a command, and its connection.
    undecided: HashMap<Pid, u64>,
    /// Set once it was decided whose these are.
    is_decided: bool,
    /// The inodes of the sockets that have carried steps.
    connections: HashSet<u64>,
    /// Number of commands.
    command: u64,
    /// Requests that were not made yet.
    requests: VecDeque<Parked>,
    /// Number of requests that were made since the last command.
    made: usize,
}

impl Background {
    /// Records that the worker gets a command.
    pub fn begins_command(&mut self) {
        self.command += 1;
        self.made = 0;
    }

    /// Records that a task waits: with a time limit, or, without one, for nothing but time.
    pub fn waits(&mut self, task: Pid, limit: Option<Duration>, now: Instant) {
        let is_short = limit.is_some_and(|limit| limit <= OF_A_RUNTIME);
        if is_short && self.waits.contains_key(&task) {
            return;
        }
        let own = self.tasks.contains(&task);
        // Without an end, it does not end by itself.
        let until = limit.map(|limit| now.checked_add(limit));
        match until {
            Some(None) => drop(self.waits.remove(&task)),
            until => {
                let until = until.flatten();
                let command = self.command;
                self.waits.insert(
                    task,
                    TimedWait {
                        until,
                        command,
                        own,
                    },
                );
            }
        }
    }

    /// Returns `true` if the task acted by itself when it was last seen.
    pub fn contains(&self, task: Pid) -> bool {
        self.tasks.contains(&task)
    }

    /// Records a request of a task. Returns `true` if it is its own; `obeys` is set while the worker
    /// obeys a command.
    pub fn requests(&mut self, task: Pid, connection: u64, obeys: bool, now: Instant) -> bool {
        let own = self.waits.get(&task).is_some_and(|wait| {
            let ended = wait.until.is_none_or(|until| until <= now);
            let obeys = obeys && wait.command == self.command && !self.is_stranger(task);
            ended && (wait.own || !obeys)
        });
        let own = own && !self.connections.contains(&connection);
        match own {
            true => drop(self.tasks.insert(task)),
            // Another one may be on its way.
            false if obeys && self.obedient.is_empty() => {
                self.tasks.remove(&task);
                self.undecided.insert(task, connection);
            }
            false => self.obeys(task, connection),
        }
        own
    }

    /// Returns `true` if none of these calls is known to be made because of a command.
    pub fn are_undecided(&self, parked: &VecDeque<Parked>) -> bool {
        let is_undecided = |one: &Parked| {
            self.undecided.contains_key(&one.tid)
                || one.call.is_sleep() && !is_first_thread(one.tid)
        };
        let nobody_obeys = !self.is_decided && self.obedient.is_empty();
        nobody_obeys && !parked.is_empty() && parked.iter().all(is_undecided)
    }

    /// Decides that those who have not waited obey commands.
    fn decide_waiting(&mut self) {
        let tasks = &self.tasks;
        self.undecided.retain(|task, _| !tasks.contains(task));
        self.decide();
    }

    /// Decides that all undecided tasks obey commands, since no other task does.
    pub fn decide(&mut self) {
        self.is_decided = true;
        for (task, connection) in std::mem::take(&mut self.undecided) {
            self.obeys(task, connection);
        }
    }

    /// Records a request of a task that obeys a command.
    pub fn obeys(&mut self, task: Pid, connection: u64) {
        self.tasks.remove(&task);
        self.obedient.insert(task);
        self.connections.insert(connection);
    }

    /// Returns `true` if a task has not obeyed the commands that others have obeyed.
    pub fn is_stranger(&self, task: Pid) -> bool {
        !self.obedient.is_empty() && !self.obedient.contains(&task)
    }

    /// Takes all requests that were not made yet.
    pub fn take_requests(&mut self) -> VecDeque<Parked> {
        std::mem::take(&mut self.requests)
    }

    /// Keeps a request of a task that acts by itself.
    pub fn hold(&mut self, request: Parked) {
        self.requests.push_back(request);
    }

    /// The next request that is to be made.
    pub fn next_request(&mut self) -> Option<Parked> {
        let request = self.requests.pop_front()?;
        self.made += usize::from(!request.call.is_silent());
        Some(request)
    }

    /// Number of requests that were made since the last command.
    pub fn made(&self) -> usize {
        self.made
    }

    /// Takes the requests of tasks that turn out to act by themselves: they have waited before, and
    /// others obey the command.
    pub fn set_aside(&mut self, parked: &mut VecDeque<Parked>) {
        if self.undecided.is_empty() || self.obedient.is_empty() {
            return;
        }
        let mut rest = VecDeque::new();
        for one in parked.drain(..) {
            let is_undecided = self.undecided.contains_key(&one.tid);
            if is_undecided && self.waits.contains_key(&one.tid) {
                self.tasks.insert(one.tid);
                self.requests.push_back(one);
            } else {
                rest.push_back(one);
            }
        }
        *parked = rest;
        self.decide_waiting();
    }

    pub fn forget(&mut self, task: Pid) {
        self.waits.remove(&task);
        self.tasks.remove(&task);
        self.obedient.remove(&task);
        self.undecided.remove(&task);
        self.requests.retain(|request| request.tid != task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: Pid = Pid::from_raw(7);
    const SHARED: u64 = 1;
    const OWN: u64 = 2;
    const LIMIT: Duration = Duration::from_secs(3);

    #[test]
    fn a_task_that_sleeps_through_a_command_acts_by_itself() {
        let now = Instant::now();
        let later = now + LIMIT;
        let mut background = Background::default();
        background.begins_command();
        assert!(!background.requests(TASK, SHARED, true, now));
        assert!(background.undecided.contains_key(&TASK) && background.obedient.is_empty());
        background.decide();
        // It may obey the command that it polls for.
        background.waits(TASK, None, now);
        assert!(!background.requests(TASK, OWN, true, later));
        // Another one, which begins with a wait, does not.
        let other = Pid::from_raw(9);
        background.waits(other, None, now);
        assert!(background.requests(other, 3, true, later));
        let mut background = Background::default();
        background.waits(TASK, None, now);
        background.begins_command();
        assert!(background.requests(TASK, OWN, true, later));
        // So it does after its next wait.
        background.waits(TASK, Some(LIMIT), later);
        assert!(background.contains(TASK));
        assert!(background.requests(TASK, OWN, true, later + LIMIT));
        // The interpreter is not what it waits for.
        background.waits(TASK, Some(OF_A_RUNTIME), later + LIMIT);
        assert!(background.requests(TASK, OWN, true, later + LIMIT));
        // Until it is woken.
        background.waits(TASK, Some(LIMIT), later + LIMIT);
        assert!(!background.requests(TASK, OWN, true, later + LIMIT));
        assert!(!background.contains(TASK));
    }

    #[test]
    fn without_a_command_only_a_wait_that_was_ended_is_for_others() {
        let now = Instant::now();
        let mut background = Background::default();
        background.waits(TASK, Some(LIMIT), now);
        assert!(background.requests(TASK, OWN, false, now + LIMIT));
        // What it has not been seen to wait for may have been another task.
        assert!(!background.requests(Pid::from_raw(8), SHARED, false, now + LIMIT));
        background.waits(TASK, Some(Duration::MAX), now);
        assert!(!background.requests(TASK, OWN, false, now + LIMIT));
    }

    #[test]
    fn a_connection_that_carries_steps_goes_on_to_do_so() {
        let now = Instant::now();
        let mut background = Background::default();
        background.obeys(Pid::from_raw(8), SHARED);
        background.waits(TASK, Some(LIMIT), now);
        background.begins_command();
        assert!(!background.requests(TASK, SHARED, true, now + LIMIT));
        background.forget(TASK);
        assert!(!background.requests(TASK, OWN, true, now + LIMIT));
    }
}

//! One worker under the tracer.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::protocol::{Answer, Capabilities, Capability};
use crate::workers::worker::WorkerProcess;

use super::super::command::Command;
use super::super::entry::Entry;
use super::super::syscalls::{Call, Wait};
use super::super::tracer::Template;
use super::background::Background;
use super::parked::Parked;

/// The state of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// Runs, is stopped before a call, or has nothing to do.
    Active,
    /// Waits for a kernel lock until another worker changes something.
    Blocked,
    /// Sleeps: nothing happens in it before some time has passed.
    Dozing,
    /// Waits for something that is not watched.
    WaitingElsewhere,
    /// Computes: makes no call that matters, does not answer and does not sleep.
    Computing,
    /// The process that takes the lock has ended.
    Gone,
}

/// A task that is held before a wait with a time limit.
#[derive(Clone, Copy, Debug)]
pub struct HeldWait {
    pub tid: Pid,
    pub entry: Entry,
    pub wait: Wait,
    /// Time limit of the wait.
    pub limit: Duration,
    /// Set if a trial showed that the wait would continue.
    pub idle: bool,
}

/// A request that was not answered at once: the server makes its client wait, or it is one part of
/// several.
#[derive(Clone, Copy, Debug)]
pub struct Unanswered {
    pub tid: Pid,
    pub fd: i32,
    /// What had been received before the request.
    pub received: u64,
}

/// A worker process, its tasks, and its current command.
#[derive(Debug)]
pub struct Worker {
    pub process: WorkerProcess,
    pub capabilities: Capabilities,
    pub state: WorkerState,
    /// The process that takes the lock: the worker, or its child if it is a zygote.
    pub main: Option<Pid>,
    /// The threads of the zygote, which only forks.
    pub zygote: HashSet<Pid>,
    /// Number of `ready` lines since the zygote was asked to fork: the child writes one, and the
    /// parent another once the child has ended.
    pub readies: u32,
    /// Tasks that are stopped before a call that matters, in order of arrival.
    pub parked: VecDeque<Parked>,
    /// Tasks that have made a call that matters.
    pub participants: HashSet<Pid>,
    /// Tasks that have made no such call and have slept briefly in real time.
    pub helpers: HashSet<Pid>,
    pub held_waits: Vec<HeldWait>,
    /// Requests to servers that were not answered at once.
    pub unanswered: Vec<Unanswered>,
    /// The task and the connection of the last request that was answered.
    pub answered: Option<(Pid, i32)>,
    /// Tasks that act by themselves.
    pub background: Background,
    /// Set if one of these has made a request.
    pub has_acted: bool,
    /// The command that has not been answered yet.
    pub command: Option<Command>,
    pub answers: Vec<Answer>,
    /// The time at which a wait that has begun ends by itself.
    pub wakes_at: Option<Instant>,
    /// Number of stops of its tasks, except those of helpers.
    pub stops: u64,
    /// The last line of this schedule that was not a valid answer.
    pub garbage: Option<String>,
    /// The process of which each schedule gets a copy.
    pub template: Option<Template>,
    /// Number of processes before it that have left on command in the same schedule.
    pub life: usize,
    /// Set if it has connected to a server before it was ready, so that forked processes would share
    /// the connection.
    pub shares_connections: bool,
    /// Set if it was about to write when it was resumed last.
    pub may_have_answered: bool,
    /// Set if a command may not have been read.
    pub has_unread_input: bool,
}

impl Worker {
    /// A worker that has just written `ready`.
    pub fn new(process: WorkerProcess, capabilities: Capabilities) -> Self {
        Worker {
            process,
            capabilities,
            state: WorkerState::Active,
            main: None,
            zygote: HashSet::new(),
            readies: 0,
            parked: VecDeque::new(),
            participants: HashSet::new(),
            helpers: HashSet::new(),
            held_waits: Vec::new(),
            unanswered: Vec::new(),
            answered: None,
            background: Background::default(),
            has_acted: false,
            command: None,
            answers: Vec::new(),
            wakes_at: None,
            stops: 0,
            garbage: None,
            template: None,
            life: 0,
            shares_connections: false,
            may_have_answered: false,
            has_unread_input: false,
        }
    }

    /// Returns `true` if the worker itself forks a fresh process for each schedule.
    pub fn is_zygote(&self) -> bool {
        let may_fork = self.capabilities.has(Capability::Zygote) && !self.shares_connections;
        may_fork && self.template.is_none()
    }

    pub fn is_gone(&self) -> bool {
        self.state == WorkerState::Gone
    }

    /// Resets the state of the last schedule.
    pub fn clear(&mut self) {
        self.parked.clear();
        self.participants.clear();
        self.helpers.clear();
        self.held_waits.clear();
        self.unanswered.clear();
        self.answered = None;
        self.background = Background::default();
        self.has_acted = false;
        self.answers.clear();
        self.has_unread_input |= self.command.is_some();
        self.command = None;
        if !self.is_gone() {
            self.state = WorkerState::Active;
        }
        self.wakes_at = None;
        self.garbage = None;
    }

    /// Returns `true` while the next action of the worker is unknown.
    pub fn is_moving(&self) -> bool {
        let may_move = matches!(self.state, WorkerState::Active | WorkerState::Blocked);
        self.command.is_some() && self.parked.is_empty() && may_move
    }

    /// Returns `true` if the worker has a command and can take a step.
    pub fn can_step(&self) -> bool {
        self.command.is_some()
            && match self.state {
                WorkerState::Blocked | WorkerState::Gone => false,
                WorkerState::Dozing => true,
                _ => !self.parked.is_empty(),
            }
    }

    /// Returns `true` if the worker has no command and is stopped before a call that matters.
    pub fn tidies_up(&self) -> bool {
        let can_step = !matches!(self.state, WorkerState::Gone | WorkerState::Blocked);
        self.command.is_none() && can_step && self.next_call().is_some()
    }

    /// The position in `parked` of the next call of the worker: a sleep lasts until there is nothing
    /// else to do. That of a worker without a command is not a step.
    pub fn next_call(&self) -> Option<usize> {
        let call = self
            .parked
            .iter()
            .position(|parked| !parked.call.is_sleep());
        let sleep = || (self.command.is_some() && !self.parked.is_empty()).then_some(0);
        call.or_else(sleep)
    }

    /// Returns `true` if the next step of the worker is a sleep.
    pub fn sleeps_next(&self) -> bool {
        match self.parked.is_empty() {
            false => self.parked.iter().all(|parked| parked.call.is_sleep()),
            true => self.state == WorkerState::Dozing,
        }
    }

    /// Returns `true` if all of its waits have longer limits: what ends one of them sooner comes from a
    /// server, and arrives while that acts.
    pub fn waits_for_a_server(&self, longer_than: Duration) -> bool {
        let mut waits = self.held_waits.iter();
        !self.held_waits.is_empty() && waits.all(|wait| wait.limit > longer_than)
    }

    /// Keeps a task stopped before a call that becomes a step.
    pub fn park(&mut self, tid: Pid, entry: &Entry, call: Call, result: i64) {
        self.add_participant(tid);
        self.parked.push_back(Parked {
            tid,
            entry: *entry,
            call,
            result,
        });
    }

    /// Marks a task as one that uses the lock.
    fn add_participant(&mut self, tid: Pid) {
        self.participants.insert(tid);
        self.helpers.remove(&tid);
        self.stir();
    }

    /// Records that something has happened in the worker.
    pub fn stir(&mut self) {
        if matches!(
            self.state,
            WorkerState::Dozing | WorkerState::WaitingElsewhere
        ) {
            self.state = WorkerState::Active;
        }
        for wait in &mut self.held_waits {
            wait.idle = false;
        }
    }

    /// Records that no task of the worker moves. A blocked worker stays blocked.
    pub fn come_to_rest(&mut self, state: WorkerState) {
        if !matches!(self.state, WorkerState::Blocked | WorkerState::Gone) {
            self.state = state;
        }
    }

    /// Lets the worker retry the kernel lock that it waits for.
    pub fn unblock(&mut self) {
        if self.state == WorkerState::Blocked {
            self.state = WorkerState::Active;
        }
    }
}

impl WorkerProcess {
    /// Its process as the tracer names it.
    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.id().cast_signed())
    }
}

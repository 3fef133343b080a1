//! One worker under the tracer.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use nix::unistd::Pid;

use crate::protocol::{Answer, Capabilities, Capability};
use crate::workers::worker::WorkerProcess;

use super::super::command::Command;
use super::super::entry::Entry;
use super::super::syscalls::{Call, Effect, Wait};

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorkerState {
    /// It runs, stands before a call, or has nothing to do.
    Active,
    /// It waits for a kernel lock, until another worker has changed something.
    Blocked,
    /// Nothing happens in it before some time has passed.
    Dozing,
    /// It waits for something that is not watched.
    WaitingElsewhere,
    /// It neither makes a call that matters, nor answers, nor sleeps.
    Computing,
    /// The process that takes the lock has ended.
    Gone,
}

/// A task that stands before a call that matters.
#[derive(Clone, Debug)]
pub struct Parked {
    pub tid: Pid,
    pub entry: Entry,
    pub call: Call,
    /// What the call returns if it is a sleep, which is skipped.
    pub result: i64,
}

/// A task that is about to wait for something, for some time at most, and is kept from it.
#[derive(Clone, Copy, Debug)]
pub struct Polling {
    pub tid: Pid,
    pub entry: Entry,
    pub wait: Wait,
    /// How long it may take.
    pub limit: Duration,
    /// There was nothing yet.
    pub idle: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Actor {
    pub process: WorkerProcess,
    pub can: Capabilities,
    /// The process that takes the lock: the worker, or a child of it.
    pub main: Option<Pid>,
    /// The threads of the process that only forks.
    pub zygote: HashSet<Pid>,
    /// How often `ready` was said since it was told to fork: by the child, and by its parent when the child has ended.
    pub readies: u32,
    /// Tasks that stand before a call that matters, in the order in which they came there.
    pub parked: VecDeque<Parked>,
    /// Tasks that have made a call that matters.
    pub took_part: HashSet<Pid>,
    /// Those that have not, and have slept for a moment, in real time.
    pub helpers: HashSet<Pid>,
    /// Tasks that stand before a wait with a time limit.
    pub polling: Vec<Polling>,
    /// What it was told and has not answered.
    pub told: Option<Command>,
    pub answers: Vec<Answer>,
    pub state: WorkerState,
    /// A wait that has begun ends then by itself.
    pub wakes_at: Option<Instant>,
    /// How many stops of its tasks there were, those of helpers left out.
    pub stops: u64,
    /// The last line of this schedule that was no answer of the protocol.
    pub misspoke: Option<String>,
}

impl Actor {
    pub fn new(process: WorkerProcess, can: Capabilities) -> Self {
        Actor {
            process,
            can,
            main: None,
            zygote: HashSet::new(),
            readies: 0,
            parked: VecDeque::new(),
            took_part: HashSet::new(),
            helpers: HashSet::new(),
            polling: Vec::new(),
            told: None,
            answers: Vec::new(),
            state: WorkerState::Active,
            wakes_at: None,
            stops: 0,
            misspoke: None,
        }
    }

    /// Whether it forks a fresh process for each schedule.
    pub fn is_zygote(&self) -> bool {
        self.can.has(Capability::Zygote)
    }

    /// Forgets everything about the last schedule.
    pub fn clear(&mut self) {
        self.parked.clear();
        self.took_part.clear();
        self.helpers.clear();
        self.polling.clear();
        self.answers.clear();
        self.told = None;
        if self.state != WorkerState::Gone {
            self.state = WorkerState::Active;
        }
        self.wakes_at = None;
        self.misspoke = None;
    }

    /// Whether it is not known what it will do next.
    pub fn is_on_the_way(&self) -> bool {
        let may_move = matches!(self.state, WorkerState::Active | WorkerState::Blocked);
        self.told.is_some() && self.parked.is_empty() && may_move
    }

    /// The place, among the parked, of the call that it makes next: beside its sleeps, one that has nothing to do only tidies up.
    pub fn next_call(&self) -> Option<usize> {
        let busy = self.told.is_some();
        let mut parked = self.parked.iter();
        parked.position(|parked| busy || parked.call.effect != Effect::Sleep)
    }

    /// This task is no longer one of which the lock knows nothing.
    pub fn takes_part(&mut self, tid: Pid) {
        self.took_part.insert(tid);
        self.helpers.remove(&tid);
        self.stirs();
    }

    /// Nothing moves in it. One that is blocked stays so.
    pub fn rests(&mut self, state: WorkerState) {
        if !matches!(self.state, WorkerState::Blocked | WorkerState::Gone) {
            self.state = state;
        }
    }

    /// A kernel lock that it waits for may be free.
    pub fn unblocks(&mut self) {
        if self.state == WorkerState::Blocked {
            self.state = WorkerState::Active;
        }
    }

    /// Returns `true` if it can make a call next.
    pub fn stands_before_call(&self) -> bool {
        self.told.is_some()
            && match self.state {
                WorkerState::Blocked | WorkerState::Gone => false,
                WorkerState::Dozing => true,
                _ => !self.parked.is_empty(),
            }
    }

    /// Something has happened in it.
    pub fn stirs(&mut self) {
        if matches!(
            self.state,
            WorkerState::Dozing | WorkerState::WaitingElsewhere
        ) {
            self.state = WorkerState::Active;
        }
        for polling in &mut self.polling {
            polling.idle = false;
        }
    }
}

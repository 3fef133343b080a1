//! One worker under the tracer.

use std::collections::{HashSet, VecDeque};

use nix::unistd::Pid;

use crate::foreign::protocol::{Answer, Capabilities, Capability, Verb};
use crate::foreign::worker::WorkerProcess;

use super::super::call::Call;

/// What a worker is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A line of the protocol.
    Verb(Verb),
    /// Its input has ended.
    Leave,
}

/// A task that waits for something to be heard, for some time at most, and is kept from it.
#[derive(Clone, Copy, Debug)]
pub struct Polling {
    pub tid: Pid,
    pub nr: u64,
    pub argument: usize,
    /// Nothing was to be heard.
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
    pub parked: VecDeque<(Pid, Call, i64)>,
    /// Tasks that stand before a wait with a time limit.
    pub polling: Vec<Polling>,
    /// What it was told and has not answered.
    pub told: Option<Told>,
    pub answers: Vec<Answer>,
    /// Waits for a lock, until somebody does something.
    pub blocked: bool,
    /// Nothing happens in it before some time has passed.
    pub dozes: bool,
    /// Waits for something that is not watched.
    pub waits_elsewhere: bool,
    pub gone: bool,
    /// The last line of this schedule that was no answer of the protocol.
    pub misspoke: Option<String>,
    /// It neither makes a call that matters, nor answers, nor sleeps.
    pub computes: bool,
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
            polling: Vec::new(),
            told: None,
            answers: Vec::new(),
            blocked: false,
            dozes: false,
            waits_elsewhere: false,
            gone: false,
            misspoke: None,
            computes: false,
        }
    }

    /// Whether it forks a fresh process for each schedule.
    pub fn is_zygote(&self) -> bool {
        self.can.has(Capability::Zygote)
    }

    /// Forgets everything about the last schedule.
    pub fn clear(&mut self) {
        self.parked.clear();
        self.polling.clear();
        self.answers.clear();
        self.told = None;
        self.blocked = false;
        self.dozes = false;
        self.waits_elsewhere = false;
        self.misspoke = None;
        self.computes = false;
    }

    /// Something has happened in it.
    pub fn stirs(&mut self) {
        self.dozes = false;
        self.waits_elsewhere = false;
        for polling in &mut self.polling {
            polling.idle = false;
        }
    }
}

//! The steps of a schedule.

use crate::protocol::Answer;

use super::command::Command;
use super::moves::{Fault, Move};
use super::syscalls::{Call, Effect, Footprint};

/// The readiness of an actor for its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It would continue by itself.
    Ready,
    /// It has been in the section since this step, and would stay for a while.
    Holding { since: usize },
    /// It sleeps, and nothing has happened since.
    Yielded,
}

/// An actor that could take the next step: a worker, or the outsider that deletes files.
#[derive(Clone, Debug)]
pub struct Candidate {
    pub actor: usize,
    /// Number of steps that it has taken.
    pub nth: usize,
    pub readiness: Readiness,
    /// The footprint of the step, as far as it is known in advance.
    pub next: Footprint,
}

/// One step of one actor, or a fault that hits it.
#[derive(Clone, Debug)]
pub struct Step {
    pub actor: usize,
    /// Number of steps that the actor had taken before.
    pub nth: usize,
    pub action: Action,
    /// Its answers before its next step.
    pub answers: Vec<Answer>,
    /// All actors that could have taken the step.
    pub candidates: Vec<Candidate>,
    /// All faults that could have taken its place.
    pub faults: Vec<Fault>,
}

/// The content of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The actor received a command.
    Commanded(Command),
    /// The actor made this call; `inode` is that of the file that the call operated on.
    Called {
        call: Call,
        result: i64,
        inode: Option<u64>,
    },
    /// The actor tried this call, which would have waited for a lock.
    Blocked { call: Call },
    /// The worker was killed.
    Crashed(Death),
    /// The wrapper of the worker was killed.
    WrapperKilled(Death),
    /// These leases of the worker ran out.
    Expired(Vec<String>),
}

/// The state of a worker at the moment of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// The call before which it was stopped.
    pub before: Option<Call>,
    /// Set if it was in the section.
    pub inside: bool,
}

impl Action {
    /// A call without a file.
    pub fn called(call: Call, result: i64) -> Self {
        Action::Called {
            call,
            result,
            inode: None,
        }
    }

    /// Returns `true` for a call that may change what other workers observe.
    pub fn may_change(&self) -> bool {
        match self {
            Action::Called { call, .. } => call.effect.changes(),
            _ => false,
        }
    }

    fn call(&self) -> Option<&Call> {
        match self {
            Action::Called { call, .. } | Action::Blocked { call } => Some(call),
            Action::Commanded(_)
            | Action::Crashed(_)
            | Action::WrapperKilled(_)
            | Action::Expired(_) => None,
        }
    }
}

impl Step {
    /// The choice of the scheduler that led to the step.
    pub fn made(&self) -> Move {
        match self.action {
            Action::Commanded(_) | Action::Called { .. } | Action::Blocked { .. } => {
                Move::Step(self.actor)
            }
            Action::Crashed(_) => Move::Crash(self.actor),
            Action::WrapperKilled(_) => Move::KillWrapper(self.actor),
            Action::Expired(_) => Move::Expire(self.actor),
        }
    }

    /// Returns `true` if the worker is in the section with this step.
    pub fn enters(&self) -> bool {
        let acquired = |answer: &Answer| matches!(answer, Answer::Acquired(_));
        self.answers.iter().any(acquired)
    }

    /// The rank of a delay before this step; the lowest rank is tried first.
    pub fn priority(&self) -> u32 {
        const OF_COMMAND: u32 = 5;
        let call = self.action.call();
        call.map_or(OF_COMMAND, |call| call.effect.priority())
    }

    /// Returns `true` for a call that touches the lock.
    pub fn touches_the_lock(&self) -> bool {
        let call = self.action.call();
        call.is_some_and(|call| call.effect != Effect::Sleep)
    }

    /// The footprint of the step.
    pub fn footprint(&self) -> Footprint {
        match self.action.call() {
            _ if self.made().is_fault() => Footprint::of_fault(),
            Some(call) => Footprint::of(call, !self.answers.is_empty()),
            None => Footprint::of_command(),
        }
    }
}

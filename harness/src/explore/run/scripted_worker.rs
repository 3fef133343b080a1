//! A worker of a schedule: its remaining commands, and whether it only polls.

use std::collections::VecDeque;
use std::time::Instant;

use super::super::command::Command;
use super::super::schedule::Action;
use super::super::syscalls::{Call, Effect};

/// Number of equal calls with equal results after which a worker polls in vain.
const SPINS: usize = 6;
/// Number of calls without any progress after which a worker may be waiting, whatever it changes
/// itself.
const CALLS: usize = 150;
/// Number of sleeps without any progress after which a worker comes last, whatever has changed.
const NAPS: usize = 2;

/// A worker with its remaining commands.
#[derive(Debug)]
pub struct ScriptedWorker {
    pub script: VecDeque<Command>,
    /// Number of steps that it has taken.
    pub nth: usize,
    /// Its stay in the section, if it is inside.
    pub inside: Option<Hold>,
    /// The time of its last request for the lock, and the number of steps then.
    pub requested: (Instant, usize),
    /// Set if its lease was ended, until it gets a new one or requests the lock again.
    pub stale: bool,
    /// Set once it was killed.
    pub dead: bool,
    /// Set once its wrapper was killed.
    pub torn: bool,
    /// Set if its last step may have changed something for others.
    changed: bool,
    /// The step after which it began to poll.
    woke_at: usize,
    /// Number of sleeps since the last answer of any worker.
    naps: usize,
    /// Number of calls since that answer.
    calls: usize,
    /// Its calls since the last change, each with its result and count.
    looks: Vec<(Call, i64, usize)>,
}

/// A stay in the section.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// Number of steps before it.
    pub since_step: usize,
    pub since: Instant,
    /// Its fencing token, if it has one.
    pub token: Option<u64>,
}

impl ScriptedWorker {
    pub fn new(script: VecDeque<Command>) -> Self {
        ScriptedWorker {
            script,
            nth: 0,
            inside: None,
            requested: (Instant::now(), 0),
            stale: false,
            dead: false,
            torn: false,
            changed: false,
            woke_at: 0,
            naps: 0,
            calls: 0,
            looks: Vec::new(),
        }
    }

    /// Records the worker's step, the last of `steps`.
    pub fn did(&mut self, action: &Action, steps: usize) {
        self.changed = action.may_change();
        match action {
            Action::Commanded(_) => self.wakes(steps),
            Action::Called { call, .. } if call.effect == Effect::Sleep => self.wakes(steps),
            Action::Called { call, result, .. } => {
                self.calls += 1;
                if call.operation.reads_in_pieces() && *result > 0 {
                    return;
                }
                let same = self
                    .looks
                    .iter_mut()
                    .find(|(looked, found, _)| looked == call && found == result);
                match same {
                    Some((.., times)) => *times += 1,
                    None => self.looks.push((call.clone(), *result, 1)),
                }
            }
            Action::Blocked { .. }
            | Action::Crashed(_)
            | Action::WrapperKilled(_)
            | Action::Expired(_) => {}
        }
    }

    /// Records that the worker requests the lock, in the step with this number.
    pub fn requests(&mut self, step: usize) {
        self.requested = (Instant::now(), step);
        self.stale = false;
    }

    /// Records that the worker was killed.
    pub fn die(&mut self) {
        self.dead = true;
        self.inside = None;
        self.script.clear();
    }

    /// Returns `true` unless its death would mean the same as one before its last step.
    pub fn is_fresh(&self) -> bool {
        self.changed || self.inside.is_some()
    }

    fn wakes(&mut self, steps: usize) {
        self.woke_at = steps;
        self.naps += 1;
    }

    /// Records that a worker has answered.
    pub fn note_progress(&mut self) {
        self.naps = 0;
        self.calls = 0;
    }

    /// Records that the worker may observe something new.
    pub fn note_change(&mut self) {
        self.looks.clear();
    }

    /// Returns `true` if its next step would only repeat an observation. `changed_at` is the last
    /// step that changed anything; `sleeps` is `true` if the next step is a sleep.
    pub fn looks_in_vain(&self, sleeps: bool, changed_at: usize) -> bool {
        match sleeps {
            true => changed_at <= self.woke_at || self.naps >= NAPS,
            false => self.looks.iter().any(|(.., times)| *times >= SPINS),
        }
    }

    /// Returns `true` if it has made so many calls in vain that the others precede it. It may still
    /// get the lock.
    pub fn takes_long(&self) -> bool {
        self.calls >= CALLS
    }
}

//! What one worker has still to do in a schedule, and whether it only waits.

use std::collections::VecDeque;
use std::time::Instant;

use super::super::command::Command;
use super::super::schedule::Action;
use super::super::syscalls::{Call, Effect};

/// Equal calls with equal results, while nothing changed, after which a worker looks in vain.
const SPINS: usize = 6;
/// Calls without progress of any worker after which a worker may be waiting, whatever it changes
/// itself.
const CALLS: usize = 150;
/// Sleeps without progress of any worker after which a worker comes last, whatever has changed.
const NAPS: usize = 2;

/// A worker with the commands that are left for it.
#[derive(Debug)]
pub struct ScriptedWorker {
    pub script: VecDeque<Command>,
    /// Number of steps that it has taken.
    pub nth: usize,
    /// Its stay in the section, if it is there.
    pub inside: Option<Hold>,
    /// The step after which it began to look.
    woke_at: usize,
    /// Number of sleeps since the last answer of any worker.
    naps: usize,
    /// Number of calls since then.
    calls: usize,
    /// The calls that it has made since anything changed, with their results and how often.
    looks: Vec<(Call, i64, usize)>,
}

/// A stay in the section.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// Number of steps before it.
    pub since_step: usize,
    pub since: Instant,
}

impl ScriptedWorker {
    pub fn new(script: VecDeque<Command>) -> Self {
        ScriptedWorker {
            script,
            nth: 0,
            inside: None,
            woke_at: 0,
            naps: 0,
            calls: 0,
            looks: Vec::new(),
        }
    }

    /// Takes note of its step, the last of `steps`.
    pub fn did(&mut self, action: &Action, steps: usize) {
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
            Action::Blocked { .. } => {}
        }
    }

    fn wakes(&mut self, steps: usize) {
        self.woke_at = steps;
        self.naps += 1;
    }

    /// Takes note that a worker has answered.
    pub fn note_progress(&mut self) {
        self.naps = 0;
        self.calls = 0;
    }

    /// Takes note that it may find something else than before.
    pub fn note_change(&mut self) {
        self.looks.clear();
    }

    /// Returns `true` if its next step would show what it has seen before. `changed_at` is the last
    /// step that changed anything; `sleeps` if the next step is a sleep.
    pub fn looks_in_vain(&self, sleeps: bool, changed_at: usize) -> bool {
        match sleeps {
            true => changed_at <= self.woke_at || self.naps >= NAPS,
            false => self.looks.iter().any(|(.., times)| *times >= SPINS),
        }
    }

    /// Returns `true` if it has made so many calls in vain that the others go on before it. It may
    /// still get the lock.
    pub fn takes_long(&self) -> bool {
        self.calls >= CALLS
    }
}

//! What one worker has still to do in a schedule, and whether it only waits.

use std::collections::VecDeque;
use std::time::Instant;

use super::command::Command;
use super::schedule::What;
use super::syscalls::{Call, Effect};

/// Who has made the same call with the same result so often, while nothing changed, looks in vain.
const SPINS: usize = 6;
/// Who has made so many calls without anybody getting any further may be waiting as well, whatever it changes itself.
const CALLS: usize = 150;
/// Who has slept so often without anybody getting any further comes last, whatever has changed.
const NAPS: usize = 2;

/// See the module.
pub(super) struct Part {
    pub script: VecDeque<Command>,
    /// How many steps it has taken.
    pub nth: usize,
    /// In the section since this step, and this moment.
    pub inside: Option<(usize, Instant)>,
    /// The step after which it began to look.
    woke_at: usize,
    /// How often it has slept since anybody got any further.
    naps: usize,
    /// How many calls it has made since then.
    calls: usize,
    /// The calls that it has made since anything changed, and how often.
    looks: Vec<(Call, i64, usize)>,
}

impl Part {
    pub fn new(script: VecDeque<Command>) -> Self {
        Part {
            script,
            nth: 0,
            inside: None,
            woke_at: 0,
            naps: 0,
            calls: 0,
            looks: Vec::new(),
        }
    }

    /// It has taken this step, the last of so many.
    pub fn did(&mut self, what: &What, steps: usize) {
        match what {
            What::Told(_) | What::Leaves => self.wakes(steps),
            What::Did { call, .. } if call.effect == Effect::Sleep => self.wakes(steps),
            What::Did { call, result, .. } => {
                self.calls += 1;
                // Some read a file byte by byte, as shells do.
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
            What::Waits { .. } => {}
        }
    }

    fn wakes(&mut self, steps: usize) {
        self.woke_at = steps;
        self.naps += 1;
    }

    /// Somebody has said something.
    pub fn gets_further(&mut self) {
        self.naps = 0;
        self.calls = 0;
    }

    /// It may find something else than before.
    pub fn may_look_again(&mut self) {
        self.looks.clear();
    }

    /// Whether it would find what it has found, being about to sleep or not, if the last step that changed anything was this one.
    pub fn looks_in_vain(&self, sleeps: bool, changed_at: usize) -> bool {
        match sleeps {
            true => changed_at <= self.woke_at || self.naps >= NAPS,
            false => self.looks.iter().any(|(.., times)| *times >= SPINS),
        }
    }

    /// Whether the others are to go on before it, since it has made many calls and nobody has got any further; it may still get the lock.
    pub fn takes_long(&self) -> bool {
        self.calls >= CALLS
    }
}

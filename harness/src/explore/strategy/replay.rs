//! The steps of a known schedule, then default ones.

use super::scheduler::Scheduler;
use super::view::View;

/// A scheduler that follows a known schedule.
#[derive(Debug)]
pub struct Replay {
    choices: std::collections::VecDeque<usize>,
    /// Number of steps that the actor could not take in its turn.
    pub strayed: usize,
}

impl Replay {
    /// A scheduler that follows these choices.
    pub fn new(choices: &[usize]) -> Self {
        Replay {
            choices: choices.iter().copied().collect(),
            strayed: 0,
        }
    }
}

impl Scheduler for Replay {
    fn choose(&mut self, view: &View<'_>) -> Option<usize> {
        while let Some(actor) = self.choices.pop_front() {
            if view.find(actor).is_some() {
                return Some(actor);
            }
            self.strayed += 1;
        }
        Some(view.by_default())
    }
}

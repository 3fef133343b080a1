//! The steps of a known schedule, then the default ones.

use super::{Chooser, View};

/// See the module.
#[derive(Debug)]
pub struct Replay {
    choices: std::collections::VecDeque<usize>,
    /// Steps at which the one whose turn it was could not go on.
    pub strayed: usize,
}

impl Replay {
    /// These steps.
    pub fn new(choices: &[usize]) -> Self {
        Replay {
            choices: choices.iter().copied().collect(),
            strayed: 0,
        }
    }
}

impl Chooser for Replay {
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

//! A random walk: each step by anybody, by those in the section or asleep less often.

use super::{Chooser, Readiness, Strategy, View};
use crate::model::Random;

/// See the module.
#[derive(Debug)]
pub struct RandomWalk(Random);

impl RandomWalk {
    /// From this seed.
    pub fn new(seed: u64) -> Self {
        RandomWalk(Random::new(seed))
    }
}

impl Strategy for RandomWalk {
    fn next(&mut self) -> Option<Box<dyn Chooser>> {
        Some(Box::new(Walk(self.0.split())))
    }
}

struct Walk(Random);

impl Chooser for Walk {
    fn choose(&mut self, view: &View<'_>) -> Option<usize> {
        let ready: Vec<usize> = view.ready().map(|candidate| candidate.actor).collect();
        if !ready.is_empty() && !self.0.once_in(10) {
            return Some(self.0.choose(&ready));
        }
        let awake: Vec<usize> = view
            .candidates
            .iter()
            .filter(|candidate| candidate.readiness != Readiness::Yielded)
            .map(|candidate| candidate.actor)
            .collect();
        Some(match awake.is_empty() {
            true => view.by_default(),
            false => self.0.choose(&awake),
        })
    }
}

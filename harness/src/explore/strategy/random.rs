//! A random walk: any actor may take the next step; holders and sleepers are chosen less often.

use super::super::schedule::Readiness;
use super::scheduler::{Scheduler, Strategy};
use super::view::View;
use crate::model::Random;

/// The random walk.
#[derive(Debug)]
pub struct RandomWalk(Random);

impl RandomWalk {
    /// A walk with random numbers from this seed.
    pub fn new(seed: u64) -> Self {
        RandomWalk(Random::new(seed))
    }
}

impl Strategy for RandomWalk {
    fn next(&mut self) -> Option<Box<dyn Scheduler>> {
        Some(Box::new(Walk(self.0.split())))
    }
}

struct Walk(Random);

impl Scheduler for Walk {
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

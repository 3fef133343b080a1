//! A random walk: any actor may take the next step; holders and sleepers are chosen less often.

use super::super::moves::Move;
use super::super::schedule::{Readiness, Step};
use super::faults::{FaultPoints, Length};
use super::scheduler::{Scheduler, Strategy};
use super::view::View;
use crate::model::Random;

/// The random walk.
#[derive(Debug)]
pub struct RandomWalk {
    random: Random,
    faults: Random,
    length: Length,
}

impl RandomWalk {
    /// A walk with random numbers from this seed.
    pub fn new(seed: u64) -> Self {
        RandomWalk {
            random: Random::new(seed),
            faults: Random::new(seed ^ 0xdead),
            length: Length::new(),
        }
    }
}

impl Strategy for RandomWalk {
    fn next(&mut self) -> Option<Box<dyn Scheduler>> {
        Some(Box::new(Walk {
            random: self.random.split(),
            faults: FaultPoints::new(self.faults.split(), self.length.get()),
        }))
    }

    fn learn(&mut self, trace: &[Step]) {
        self.length.learn(trace.len());
    }
}

struct Walk {
    random: Random,
    faults: FaultPoints,
}

impl Scheduler for Walk {
    fn choose(&mut self, view: &View<'_>) -> Option<Move> {
        let actor = self.actor(view);
        let fault = self.faults.due(view, actor);
        Some(fault.unwrap_or(Move::Step(actor)))
    }
}

impl Walk {
    fn actor(&mut self, view: &View<'_>) -> usize {
        let ready: Vec<usize> = view.ready().map(|candidate| candidate.actor).collect();
        if !ready.is_empty() && !self.random.once_in(10) {
            return self.random.choose(&ready);
        }
        let awake: Vec<usize> = view
            .candidates
            .iter()
            .filter(|candidate| candidate.readiness != Readiness::Yielded)
            .map(|candidate| candidate.actor)
            .collect();
        match awake.is_empty() {
            true => view.by_default(),
            false => self.random.choose(&awake),
        }
    }
}

//! A random walk: any actor may take the next step; holders and sleepers are chosen less often.

use serde::{Deserialize, Serialize};

use super::super::moves::Move;
use super::super::schedule::{Readiness, Step};
use super::faults::{FaultPoints, Length};
use super::scheduler::{Scheduler, Strategy};
use super::shard::Shard;
use super::view::View;
use crate::model::Random;

/// The random walk.
#[derive(Debug, Serialize, Deserialize)]
pub struct RandomWalk {
    random: Random,
    faults: Random,
    length: Length,
    shard: Shard,
}

impl RandomWalk {
    /// A walk with random numbers from this seed.
    pub fn new(seed: u64, shard: Shard) -> Self {
        RandomWalk {
            random: Random::new(seed),
            faults: Random::new(seed ^ 0xdead),
            length: Length::new(),
            shard,
        }
    }
}

impl Strategy for RandomWalk {
    type Plan = Walk;

    fn next(&mut self) -> Option<Walk> {
        let (random, faults) = (&mut self.random, &mut self.faults);
        let length = self.length.get();
        Some(self.shard.take(|| Walk {
            random: random.split(),
            faults: FaultPoints::new(faults.split(), length),
        }))
    }

    fn learn(&mut self, _walk: &Walk, trace: &[Step]) {
        self.length.learn(trace.len());
    }
}

/// One walk, which is its own plan.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Walk {
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

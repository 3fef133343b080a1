//! A random walk: any actor may take the next step; holders and sleepers are chosen less often.

use serde::{Deserialize, Serialize};

use super::super::schedule::Readiness;
use super::scheduler::{Scheduler, Strategy};
use super::shard::Shard;
use super::view::View;
use crate::model::Random;

/// The random walk.
#[derive(Debug, Serialize, Deserialize)]
pub struct RandomWalk {
    random: Random,
    shard: Shard,
}

impl RandomWalk {
    /// A walk with random numbers from this seed.
    pub fn new(seed: u64, shard: Shard) -> Self {
        RandomWalk {
            random: Random::new(seed),
            shard,
        }
    }
}

impl Strategy for RandomWalk {
    type Plan = Random;

    fn next(&mut self) -> Option<Random> {
        Some(self.shard.take(|| self.random.split()))
    }
}

/// One walk.
pub struct Walk(Random);

impl Walk {
    /// The walk with these random numbers.
    pub fn new(random: Random) -> Self {
        Walk(random)
    }
}

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

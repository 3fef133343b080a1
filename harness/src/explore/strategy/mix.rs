//! What a search does if nobody chooses: delays first, since they are few and find most; then each strategy has its turns.

use super::super::schedule::Step;
use super::{Chooser, Delays, Pct, RandomWalk, Strategy};

/// So many schedules are delays only.
const FIRST: usize = 60;
const MOST_DELAYS: usize = 3;
const PRIORITY_CHANGES: usize = 3;

/// See the module.
#[derive(Debug)]
pub struct Mix {
    delays: Delays,
    pct: Pct,
    walk: RandomWalk,
    made: usize,
    last: Turn,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Delays,
    Pct,
    Walk,
}

impl Mix {
    /// With random numbers from this seed.
    pub fn new(seed: u64) -> Self {
        Mix {
            delays: Delays::new(MOST_DELAYS),
            pct: Pct::new(seed, PRIORITY_CHANGES),
            walk: RandomWalk::new(seed ^ 0xa11),
            made: 0,
            last: Turn::Delays,
        }
    }

    /// All schedules with at most so many delays were tried; nothing if not even the one without.
    pub fn complete(&self) -> Option<usize> {
        self.delays.complete()
    }

    fn whose(&mut self, turn: Turn) -> &mut dyn Strategy {
        match turn {
            Turn::Delays => &mut self.delays,
            Turn::Pct => &mut self.pct,
            Turn::Walk => &mut self.walk,
        }
    }
}

impl Strategy for Mix {
    fn next(&mut self) -> Option<Box<dyn Chooser>> {
        self.last = match self.made % 10 {
            0 | 5 if self.made >= FIRST => Turn::Pct,
            3 | 8 if self.made >= FIRST => Turn::Walk,
            _ => Turn::Delays,
        };
        self.made += 1;
        self.whose(self.last).next().or_else(|| {
            self.last = Turn::Walk;
            self.walk.next()
        })
    }

    fn learn(&mut self, trace: &[Step]) {
        self.whose(self.last).learn(trace);
    }
}

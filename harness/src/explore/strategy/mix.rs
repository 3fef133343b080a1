//! The default: delays first, since they are few and find most; then all strategies in turn.

use super::super::schedule::Step;
use super::delays::{self, Delays};
use super::depth_first::DepthFirst;
use super::pct::{self, Pct};
use super::random::RandomWalk;
use super::scheduler::{Scheduler, Strategy};

/// Number of initial schedules with delays only.
const FIRST: usize = 60;
/// The cycle of strategies afterwards.
const TURNS: [Turn; 10] = [
    Turn::Pct,
    Turn::Delays,
    Turn::DepthFirst,
    Turn::Walk,
    Turn::Delays,
    Turn::Pct,
    Turn::DepthFirst,
    Turn::Delays,
    Turn::Walk,
    Turn::Delays,
];

/// The mixed strategy.
#[derive(Debug)]
pub struct Mix {
    delays: Delays,
    depth_first: DepthFirst,
    pct: Pct,
    walk: RandomWalk,
    made: usize,
    last: Turn,
}

#[derive(Clone, Copy, Debug)]
enum Turn {
    Delays,
    DepthFirst,
    Pct,
    Walk,
}

impl Mix {
    /// A mix with random numbers from this seed.
    pub fn new(seed: u64) -> Self {
        Mix {
            delays: Delays::new(delays::MOST),
            depth_first: DepthFirst::new(),
            pct: Pct::new(seed, pct::CHANGES),
            walk: RandomWalk::new(seed ^ 0xa11),
            made: 0,
            last: Turn::Delays,
        }
    }

    fn whose(&mut self, turn: Turn) -> &mut dyn Strategy {
        match turn {
            Turn::Delays => &mut self.delays,
            Turn::DepthFirst => &mut self.depth_first,
            Turn::Pct => &mut self.pct,
            Turn::Walk => &mut self.walk,
        }
    }
}

impl Strategy for Mix {
    fn next(&mut self) -> Option<Box<dyn Scheduler>> {
        self.last = match self.made {
            0..FIRST => Turn::Delays,
            made => TURNS[made % TURNS.len()],
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

    fn complete(&self) -> Option<String> {
        // All interleavings include every schedule with a few delays.
        match self.depth_first.is_complete() {
            true => self.depth_first.complete(),
            false => self.delays.complete(),
        }
    }
}

//! Search strategies, one a file.

mod delays;
mod depth_first;
mod faults;
mod mix;
mod pct;
mod random;
mod replay;
mod scheduler;
#[cfg(all(test, target_os = "linux"))]
mod simulation;
mod view;

use delays::Delays;
use depth_first::DepthFirst;
use mix::Mix;
use pct::Pct;
use random::RandomWalk;
pub use replay::Replay;
pub use scheduler::{Scheduler, Strategy};
pub use view::View;

/// A search strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// Delays first, then all strategies in turn.
    #[default]
    Mix,
    /// Up to three delays.
    Delays,
    /// Random priorities, changed three times.
    Pct,
    /// A random walk.
    Random,
    /// All interleavings, those with few preemptions first. Of interleavings that differ only in
    /// the order of independent calls, only one.
    DepthFirst,
}

impl Choice {
    /// All strategies.
    pub const ALL: [Choice; 5] = [
        Choice::Mix,
        Choice::Delays,
        Choice::Pct,
        Choice::Random,
        Choice::DepthFirst,
    ];

    /// The name on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Choice::Mix => "mix",
            Choice::Delays => "delays",
            Choice::Pct => "pct",
            Choice::Random => "random",
            Choice::DepthFirst => "depth-first",
        }
    }

    /// The strategy; its random choices follow from the seed.
    pub(super) fn strategy(self, seed: u64) -> Box<dyn Strategy> {
        match self {
            Choice::Mix => Box::new(Mix::new(seed)),
            Choice::Delays => Box::new(Delays::new(delays::MOST)),
            Choice::Pct => Box::new(Pct::new(seed, pct::CHANGES)),
            Choice::Random => Box::new(RandomWalk::new(seed)),
            Choice::DepthFirst => Box::new(DepthFirst::new()),
        }
    }
}

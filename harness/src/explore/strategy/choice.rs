//! The names of the strategies.

use serde::{Deserialize, Serialize};

/// A search strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
}

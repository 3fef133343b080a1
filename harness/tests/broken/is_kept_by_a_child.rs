//! Bug: the forked child has a copy of the descriptor, so the lock outlives its holder.

pub use super::is_freed_by_a_child::make;
use lockutils_harness::testing::conformance::Guarantee;

pub const FOUND_BY: Guarantee = Guarantee::ForkedSurvivor;

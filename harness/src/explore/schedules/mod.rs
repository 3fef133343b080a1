//! The schedules of one search, in an order that does not depend on the number of explorers that
//! run them.

mod coordinator;
mod planner;
mod tally;
#[cfg(all(test, target_os = "linux"))]
mod tests;

pub use coordinator::{Coordinator, Offer, Task};
pub use planner::Planner;

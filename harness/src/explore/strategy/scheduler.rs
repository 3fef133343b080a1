//! The interface of strategies.

use super::super::moves::Move;
use super::super::schedule::Step;
use super::view::View;

/// Chooses the moves of one schedule.
pub trait Scheduler {
    /// The next move, one of those that the view allows; `None` if the rest of the schedule is not
    /// worth the time.
    fn choose(&mut self, view: &View<'_>) -> Option<Move>;

    /// Returns `true` if the files behind the names in the steps matter. To look them up takes time.
    fn identifies_files(&self) -> bool {
        false
    }
}

/// Plans schedules. Plans are data: several explorers can run them at once, and they can be saved.
pub trait Strategy {
    /// What distinguishes one schedule from the others.
    type Plan;

    /// The plan of the next schedule; `None` if there is none before another one was learned.
    fn next(&mut self) -> Option<Self::Plan>;

    /// Records the steps of a schedule that followed a plan.
    fn learn(&mut self, _plan: &Self::Plan, _trace: &[Step]) {}
}

//! The interface of strategies.

use super::super::moves::Move;
use super::super::schedule::Step;
use super::view::View;

/// Chooses the moves of one schedule.
pub trait Scheduler {
    /// The next move, one of those that the view allows; `None` if the rest of the schedule is not
    /// worth the time.
    fn choose(&mut self, view: &View<'_>) -> Option<Move>;
}

/// Creates schedules.
pub trait Strategy {
    /// The scheduler of the next schedule; `None` if all have been tried.
    fn next(&mut self) -> Option<Box<dyn Scheduler>>;

    /// Records the steps of the last schedule.
    fn learn(&mut self, _trace: &[Step]) {}

    /// The part of the search space that was searched completely, in words.
    fn complete(&self) -> Option<String> {
        None
    }
}

//! What every strategy provides.

use super::super::schedule::Step;
use super::view::View;

/// Chooses the steps of one schedule.
pub trait Scheduler {
    /// The actor that takes the next step, one of the candidates; `None` if the rest of the
    /// schedule is not worth the time.
    fn choose(&mut self, view: &View<'_>) -> Option<usize>;
}

/// Makes up schedules.
pub trait Strategy {
    /// The scheduler of the next schedule; `None` if all have been tried.
    fn next(&mut self) -> Option<Box<dyn Scheduler>>;

    /// Takes note of the steps of the last schedule.
    fn learn(&mut self, _trace: &[Step]) {}

    /// What has been tried without a gap, in words.
    fn complete(&self) -> Option<String> {
        None
    }
}

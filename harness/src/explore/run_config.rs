//! The configuration that all schedules of a search share.

use std::time::Duration;

use crate::model::Scenario;

/// Configuration of a run.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    pub scenario: Scenario,
    /// Number of workers.
    pub workers: usize,
    /// Acquisitions per worker.
    pub rounds: usize,
    pub lease: Option<Duration>,
    /// Set if a check in real time follows when all waiting workers poll in vain.
    pub patient: bool,
    /// Real time for which a dead holder is left: some times of a file cannot be set back.
    pub settle_time: Duration,
    /// Maximum number of faults that the scheduler may choose.
    pub faults: usize,
    /// Set if the state after each step is recorded, which takes time.
    pub observes: bool,
}

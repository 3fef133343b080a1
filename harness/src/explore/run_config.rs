//! What all schedules of a search have in common.

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
    /// If all workers that wait poll in vain, look whether one gets the lock in real time.
    pub patient: bool,
    /// How long a dead holder is left alone in real time: not all times of a file can be set back.
    pub settle_time: Duration,
}

//! Runs one schedule. Not available here.

use super::super::error::ExploreError;
#[allow(unused_imports, reason = "the same names as on Linux")]
use super::super::strategy::{Scheduler, View};
use super::super::trace::Trace;
use super::controller::Controller;

pub use super::super::run_config::RunConfig;

/// Runs one schedule.
pub fn run(
    controller: &mut Controller<'_>,
    _config: &RunConfig,
    _scheduler: &mut dyn Scheduler,
) -> Result<Trace, ExploreError> {
    match controller.never {}
}

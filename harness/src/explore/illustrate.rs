//! Illustrates a counterexample: records the state after each step, and searches for the nearest
//! schedule that does not break the lock.

use std::panic::resume_unwind;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use super::controller::Controller;
use super::end::End;
use super::error::ExploreError;
use super::found::Found;
use super::neighbors::{Neighbor, Neighbors, changes};
use super::search::{Search, same_end};
use super::trace::Trace;
use crate::model::Scenario;

/// Maximum number of schedules that are tried.
const TRIES: usize = 24;
/// No further schedule is tried after this time.
const LIMIT: Duration = Duration::from_secs(6);
/// Number of replays of which one must take the same steps.
const REPLAYS: usize = 3;

impl Search<'_> {
    /// Replays the counterexample of `found` to record the state after each step, and tries schedules
    /// with one change. If no replay takes the same steps, the counterexample stays as it is.
    ///
    /// # Errors
    /// Returns an error if the workers cannot be started or traced.
    pub fn illustrate(&self, found: &mut Found) -> Result<(), ExploreError> {
        let Some(trace) = found.counterexample.clone() else {
            return Ok(());
        };
        let search = Search {
            settle_time: found.settle_time,
            ..self.clone()
        };
        // The controller pins its thread to a processor.
        let illustrated = thread::scope(|scope| {
            let illustrated = scope.spawn(|| search.illustrated(&trace)).join();
            illustrated.unwrap_or_else(|panic| resume_unwind(panic))
        });
        if let Some((observed, neighbors)) = illustrated? {
            found.counterexample = Some(Trace {
                end: trace.end,
                ..observed
            });
            found.neighbors = Some(neighbors);
        }
        Ok(())
    }

    fn illustrated(&self, trace: &Trace) -> Result<Option<(Trace, Neighbors)>, ExploreError> {
        let mut controller = self.controller()?;
        let moves = trace.moves();
        for _ in 0..REPLAYS {
            let observed = self.observe(&mut controller, &moves)?;
            if self.interrupted.load(Ordering::Relaxed) {
                break;
            }
            // Nobody waits in real time now.
            let ends_alike = same_end(&observed.end, &trace.end)
                || (trace.looked_in_real_time() && observed.end == End::Polls(None));
            if ends_alike && observed.moves() == moves {
                let neighbors = self.neighbors(&mut controller, &observed)?;
                return Ok(Some((observed, neighbors)));
            }
        }
        Ok(None)
    }

    fn neighbors(
        &self,
        controller: &mut Controller<'_>,
        observed: &Trace,
    ) -> Result<Neighbors, ExploreError> {
        let began = Instant::now();
        let mut tried = 0;
        let mut nearest = None;
        for change in changes(observed).into_iter().take(TRIES) {
            if began.elapsed() > LIMIT || self.interrupted.load(Ordering::Relaxed) {
                break;
            }
            let trace = self.observe(controller, &change.moves)?;
            tried += 1;
            let difference = change.difference;
            match trace.end {
                End::Clean => {
                    nearest = Some(Neighbor { difference, trace });
                    break;
                }
                // Second best: two are in the section, but one of them has lost its lease.
                End::LeaseExpired if self.scenario == Scenario::Expire && nearest.is_none() => {
                    nearest = Some(Neighbor { difference, trace });
                }
                _ => {}
            }
        }
        Ok(Neighbors { tried, nearest })
    }
}

//! The result of a search.

use std::time::Duration;

use crate::model::{Quoted, Scenario, Verdict};

use super::neighbors::Neighbors;
use super::trace::Trace;

/// The result of a search.
#[derive(Clone, Debug)]
pub struct Found {
    /// The scenario.
    pub scenario: Scenario,
    /// Number of competing workers.
    pub workers: usize,
    /// Number of schedules that were run.
    pub schedules: usize,
    /// Duration of the search with shrinking and replays, in seconds.
    pub seconds: f64,
    /// Number of schedules that were cut short because the rest had been tried in another order.
    pub known: usize,
    /// The part of the search space that was searched completely, in words.
    pub complete: Option<String>,
    /// Number of schedules that did not go as planned, since a worker is not deterministic.
    pub strayed: usize,
    /// The shortest schedule found that breaks the lock or gets it stuck.
    pub counterexample: Option<Trace>,
    /// Schedules with one change to it, once it is illustrated.
    pub(super) neighbors: Option<Neighbors>,
    /// Number of replays with the same steps and end, and number of all replays.
    pub replayed: (usize, usize),
    /// Number of schedules in which a lease may have expired.
    pub expiries: usize,
    /// Number of schedules in which all waiters polled in vain; `stress` shows whether the lock is
    /// stuck.
    pub polls: usize,
    /// Number of schedules in which a worker or a wrapper was killed, in the scenarios for that.
    pub crashes: Option<usize>,
    /// Set if one could have been killed.
    pub could_crash: bool,
    /// Number of schedules in which the lock was free again only some time after a crash: in real
    /// time, or once the files of the dead worker were old.
    pub recoveries: usize,
    /// Real time for which a dead holder was left before the other workers began. Not zero if the
    /// lock checks times that cannot be set back.
    pub settle_time: Duration,
    /// Errors of the library, with their counts.
    pub errors: Vec<Quoted>,
    /// The first failure of a worker or of the explorer.
    pub problem: Option<String>,
    /// Set if the user interrupted the search.
    pub interrupted: bool,
    /// The reason why workers started afresh for each schedule, if they did.
    pub starts_afresh: Option<String>,
}

impl Found {
    /// The result of a search that could not run, with the reason.
    pub fn failed(scenario: Scenario, workers: usize, why: impl ToString) -> Self {
        Found {
            problem: Some(why.to_string()),
            ..Self::nothing(scenario, workers)
        }
    }

    pub(super) fn nothing(scenario: Scenario, workers: usize) -> Self {
        Found {
            scenario,
            workers,
            schedules: 0,
            seconds: 0.0,
            known: 0,
            complete: None,
            strayed: 0,
            counterexample: None,
            neighbors: None,
            replayed: (0, 0),
            expiries: 0,
            polls: 0,
            crashes: None,
            could_crash: false,
            recoveries: 0,
            settle_time: Duration::ZERO,
            errors: Vec::new(),
            problem: None,
            interrupted: false,
            starts_afresh: None,
        }
    }

    /// The verdict on the lock.
    pub fn verdict(&self) -> Verdict {
        match &self.counterexample {
            Some(trace) => trace.verdict(),
            None if self.problem.is_some() || self.never_crashes() => Verdict::NotKnown,
            None if self.schedules == self.polls => Verdict::NotKnown,
            None if self.expiries > 0 => Verdict::LeaseExpired,
            None if !self.errors.is_empty() => Verdict::Errors,
            None => Verdict::Held,
        }
    }

    /// Returns `true` if there was nobody to kill, in a scenario for that.
    fn never_crashes(&self) -> bool {
        self.crashes == Some(0) && !self.could_crash
    }

    /// Returns `true` if a worker could have been killed, and in no schedule it was.
    pub(super) fn lacks_crashes(&self) -> bool {
        self.crashes == Some(0) && self.could_crash
    }

    /// The reason for the verdict *not known*; `None` for any other verdict.
    pub fn reason(&self) -> Option<String> {
        if self.verdict() != Verdict::NotKnown {
            return None;
        }
        Some(match (&self.problem, self.schedules) {
            (Some(problem), _) => problem.clone(),
            (None, 0) if self.interrupted => "interrupted before a schedule was run".to_owned(),
            (None, 0) => "no schedule was run in this time".to_owned(),
            (None, _) if self.never_crashes() => match self.scenario {
                Scenario::WrapperKill => {
                    "no wrapper to kill: it replaces itself with the command, \
                                          or ends before it"
                        .to_owned()
                }
                _ => "no worker could be killed".to_owned(),
            },
            (None, _) => {
                "all waiters polled in vain in every schedule; `stress` shows whether the lock is \
                 stuck then"
                    .to_owned()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_without_crashes_is_known_only_if_there_was_somebody_to_kill() {
        let mut found = Found {
            schedules: 1,
            crashes: Some(0),
            ..Found::nothing(Scenario::Crash, 2)
        };
        assert_eq!(found.verdict(), Verdict::NotKnown);
        assert_eq!(found.reason().as_deref(), Some("no worker could be killed"));
        found.could_crash = true;
        assert_eq!(found.verdict(), Verdict::Held);
        assert!(found.lacks_crashes());
        found.crashes = Some(1);
        assert!(!found.lacks_crashes());
    }
}

//! What a search has come to.

use std::time::Duration;

use crate::model::{Quoted, Verdict};

use super::trace::Trace;
use crate::model::Scenario;

/// See the module.
#[derive(Clone, Debug)]
pub struct Found {
    /// What befell the lock.
    pub plot: Scenario,
    /// How many acquired it.
    pub parties: usize,
    /// How many schedules were run.
    pub schedules: usize,
    /// How long that took, shrinking and replays included.
    pub seconds: f64,
    /// Schedules that were cut short, since what would have come had been tried in another order.
    pub known: usize,
    /// What has been tried without a gap, in words.
    pub complete: Option<String>,
    /// The shortest schedule that breaks the lock, or gets it stuck.
    pub counterexample: Option<Trace>,
    /// How many of how many runs of it came to the same.
    pub replayed: (usize, usize),
    /// Schedules in which a lease may have run out.
    pub expiries: usize,
    /// Schedules in which nobody got any further by looking again and again; `stress` tells whether the lock is stuck.
    pub polls: usize,
    /// How long a holder had been dead in real time before the others began: the lock looks at times that cannot be set back.
    pub rest: Duration,
    /// What the library failed with, and how often.
    pub errors: Vec<Quoted>,
    /// What went wrong with the workers.
    pub problem: Option<String>,
    /// Somebody stopped it.
    pub interrupted: bool,
}

impl Found {
    /// Nothing could be tried, for this reason.
    pub fn failed(plot: Scenario, parties: usize, why: impl ToString) -> Self {
        Found {
            problem: Some(why.to_string()),
            ..Self::nothing(plot, parties)
        }
    }

    pub(super) fn nothing(plot: Scenario, parties: usize) -> Self {
        Found {
            plot,
            parties,
            schedules: 0,
            seconds: 0.0,
            known: 0,
            complete: None,
            counterexample: None,
            replayed: (0, 0),
            expiries: 0,
            polls: 0,
            rest: Duration::ZERO,
            errors: Vec::new(),
            problem: None,
            interrupted: false,
        }
    }

    /// What that says of the lock.
    pub fn verdict(&self) -> Verdict {
        match &self.counterexample {
            Some(trace) => trace.end.verdict(),
            None if self.problem.is_some() => Verdict::NotKnown,
            None if self.schedules == self.polls => Verdict::NotKnown,
            None if self.expiries > 0 => Verdict::LeaseExpired,
            None if !self.errors.is_empty() => Verdict::Errors,
            None => Verdict::Held,
        }
    }

    /// Why nothing can be said, if nothing can.
    pub fn reason(&self) -> Option<String> {
        if self.verdict() != Verdict::NotKnown {
            return None;
        }
        Some(match (&self.problem, self.schedules) {
            (Some(problem), _) => problem.clone(),
            (None, 0) if self.interrupted => "interrupted before a schedule was run".to_owned(),
            (None, 0) => "no schedule was run in this time".to_owned(),
            (None, _) => {
                "all who wait looked in vain again and again, in every schedule; `stress` tells whether the lock is stuck then".to_owned()
            }
        })
    }
}

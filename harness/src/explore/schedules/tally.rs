//! Counts over the schedules of a search.

use serde::{Deserialize, Serialize};

use super::super::end::End;
use super::super::schedule::Step;
use super::super::trace::Trace;
use crate::stress::statistics::Quotes;

/// The contribution of one schedule.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Set if it was cut short, because the rest had been tried in another order.
    known: bool,
    /// Set if a lease may have expired in it.
    expired: bool,
    /// Set if all waiters polled in vain.
    polled: bool,
    /// Set if a worker touched the lock.
    touched: bool,
    errors: Vec<String>,
    problem: Option<String>,
}

impl Record {
    /// The record of a schedule of this many workers.
    pub fn of(trace: &Trace, workers: usize) -> Self {
        let by_a_worker = |step: &Step| step.actor < workers && step.touches_the_lock();
        Record {
            known: trace.end == End::Known,
            expired: trace.end == End::LeaseExpired,
            polled: matches!(trace.end, End::Polls(_)),
            touched: trace.steps.iter().any(by_a_worker),
            errors: trace.errors.clone(),
            problem: match &trace.end {
                End::Failed(why) => Some(why.to_string()),
                _ => None,
            },
        }
    }

    /// The same record, with a problem of the explorer.
    pub fn with_problem(self, problem: String) -> Self {
        Record {
            problem: Some(problem),
            ..self
        }
    }
}

/// The sum of many records.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Number of schedules, without those that were cut short.
    pub schedules: usize,
    /// Number of schedules that were cut short.
    pub known: usize,
    /// Number of schedules in which a lease may have expired.
    pub expiries: usize,
    /// Number of schedules in which all waiters polled in vain.
    pub polls: usize,
    /// Set once a worker has touched the lock.
    pub touched: bool,
    pub errors: Quotes,
    /// The first problem.
    pub problem: Option<String>,
}

impl Tally {
    pub fn add(&mut self, record: &Record) {
        self.touched |= record.touched;
        if record.known {
            self.known += 1;
            return;
        }
        self.schedules += 1;
        self.expiries += usize::from(record.expired);
        self.polls += usize::from(record.polled);
        for error in &record.errors {
            self.errors.add(error);
        }
        if self.problem.is_none() {
            self.problem.clone_from(&record.problem);
        }
    }
}

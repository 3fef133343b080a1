//! Counts over the schedules of a search.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::super::deaths;
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
    /// Set if a worker was killed.
    crashed: bool,
    /// Set if a worker could have been killed.
    could_crash: bool,
    /// Set if all waiters polled after a crash, and one of them got the lock later.
    recovered: bool,
    /// The kinds of deaths after which all waiters polled.
    deaths: Option<String>,
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
            crashed: trace.has_fault(),
            could_crash: trace.steps.iter().any(|step| !step.faults.is_empty()),
            recovered: false,
            deaths: None,
            touched: trace.steps.iter().any(by_a_worker),
            errors: trace.errors.clone(),
            problem: match &trace.end {
                End::Failed(why) => Some(why.to_string()),
                _ => None,
            },
        }
    }

    /// The record of a schedule in which all waiters polled after a crash. Deaths of one kind lead to
    /// the same state.
    pub fn after_crash(trace: &Trace, workers: usize, later: Later) -> Self {
        let record = Record::of(trace, workers);
        Record {
            polled: later == Later::NotKnown,
            recovered: later == Later::Recovered,
            deaths: Some(kinds_of_deaths(trace)),
            ..record
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

/// What happened in real time after all waiters had polled in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Later {
    /// One of them got the lock.
    Recovered,
    /// None of them did.
    Stuck,
    /// It is not known.
    NotKnown,
}

/// The kinds of deaths in a schedule, as a key.
pub fn kinds_of_deaths(trace: &Trace) -> String {
    format!("{:?}", deaths::kinds(trace))
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
    /// Number of schedules in which a worker was killed.
    pub crashes: usize,
    /// Set once a worker could have been killed.
    pub could_crash: bool,
    /// Number of schedules in which the lock was free again only some time after a crash.
    pub recoveries: usize,
    /// The kinds of deaths of which it is known what happens in real time.
    pub deaths: BTreeSet<String>,
    /// Set once a worker has touched the lock.
    pub touched: bool,
    pub errors: Quotes,
    /// The first problem.
    pub problem: Option<String>,
}

impl Tally {
    pub fn add(&mut self, record: &Record) {
        self.touched |= record.touched;
        self.could_crash |= record.could_crash;
        if record.known {
            self.known += 1;
            return;
        }
        self.schedules += 1;
        self.expiries += usize::from(record.expired);
        self.polls += usize::from(record.polled);
        self.crashes += usize::from(record.crashed);
        self.recoveries += usize::from(record.recovered);
        self.deaths.extend(record.deaths.clone());
        for error in &record.errors {
            self.errors.add(error);
        }
        if self.problem.is_none() {
            self.problem.clone_from(&record.problem);
        }
    }
}
